import { readFile } from 'node:fs/promises'

const program = 'src/main.ts'

/** The flags that `npm start` gives Node, so that what is measured is what runs. */
export async function nodeFlags(): Promise<string[]> {
  const { scripts } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  const [command, ...words]: string[] = scripts.start.split(' ')
  const end = words.indexOf(program)
  if (command !== 'node' || end === -1) throw new Error(`The script "start" is not "node … ${program} serve"`)
  return words.slice(0, end)
}
