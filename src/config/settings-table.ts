import { type Setting, settings } from './settings.ts'

/** The README's table of the settings. `npm run -s settings-table` prints it; `test/readme.test.ts` compares. */
export function settingsTable(): string {
  const rows = Object.values<Setting<unknown>>(settings).map(
    ({ name, fallback, meaning }) => `| \`${name}\` | ${fallback ? `\`${fallback}\`` : ''} | ${meaning} |`,
  )
  return ['| Name | Default | Meaning |', '| --- | --- | --- |', ...rows].join('\n')
}

if (import.meta.main) console.log(settingsTable())
