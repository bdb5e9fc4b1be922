import { globSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { type Program, parse } from 'acorn'

const root = join(import.meta.dirname, '..', '..', 'src')

export interface Source {
  /** Below `src`. */
  path: string
  text: string
  /** Without its types; every other character is where it was. */
  code: string
  tree: Program
}

/** The files of ours that a pattern names, to be looked through. */
export function sources(pattern: string): Source[] {
  return globSync(pattern, { cwd: root }).map((path) => {
    const text = readFileSync(join(root, path), 'utf8')
    const code = stripTypeScriptTypes(text)
    return { path, text, code, tree: parse(code, { ecmaVersion: 'latest', sourceType: 'module', locations: true }) }
  })
}
