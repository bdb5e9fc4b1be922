import { readdir, readFile } from 'node:fs/promises'
import { growing } from './million-rows.ts'

/** Where statements are written. */
const folders = ['persistence', 'auth', 'rooms']

const namesGrowing = new RegExp(`\\b(from|join|into|update) (${growing.join('|')})\\b`)

/**
 * The constant pieces, between one parameter and the next, of the statements that are written as text and name a growing table.
 * Every white space is one space.
 */
export async function writtenPieces(): Promise<string[]> {
  const pieces: string[] = []
  for (const folder of folders) {
    const directory = new URL(`../../src/${folder}/`, import.meta.url)
    const names = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.ts'))
    for (const name of names) pieces.push(...piecesOf(await readFile(new URL(name, directory), 'utf8')).map(inOneLine))
  }
  return [...new Set(pieces)].filter((piece) => namesGrowing.test(piece))
}

export function inOneLine(statement: string): string {
  return statement.replace(/\s+/g, ' ').trim()
}

/** The constant pieces of all templates of a source, those inside of others included. */
function piecesOf(source: string): string[] {
  const pieces: string[] = []
  /** For each template that is open: the braces that are open in it, and what was read of its piece. */
  const open: { braces: number; piece: string }[] = []
  for (let at = 0; at < source.length; at += 1) {
    const template = open.at(-1)
    const character = source[at]
    if (template === undefined || template.braces > 0) {
      if (character === '`') open.push({ braces: 0, piece: '' })
      else if (template && character === '{') template.braces += 1
      else if (template && character === '}') template.braces -= 1
    } else if (character === '`' || source.startsWith('${', at)) {
      pieces.push(template.piece)
      template.piece = ''
      if (character === '`') open.pop()
      else {
        template.braces = 1
        at += 1
      }
    } else template.piece += character
  }
  return pieces
}
