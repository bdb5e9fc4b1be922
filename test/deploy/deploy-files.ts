import { readFile } from 'node:fs/promises'
import type { Test } from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { readConfig } from '#config/config.ts'
import { settings } from '#config/settings.ts'
import type { ConfigError } from '#domain/errors.ts'
import { mostMemory } from '../kit/memory-formula.ts'

// biome-ignore lint/suspicious/noExplicitAny: whatever a file of deploy/ says
export type Anything = any

export function readDeploy(path: string): Promise<string> {
  return readFile(new URL(`../../deploy/${path}`, import.meta.url), 'utf8')
}

export async function readYaml(path: string): Promise<Anything> {
  return parse(await readDeploy(path), { merge: true })
}

export function parseYamls(text: string): Anything[] {
  return parseAllDocuments(text).map((document) => document.toJS())
}

/** `NAME=value` lines. */
export function parseEnv(text: string): Record<string, string> {
  return Object.fromEntries(Array.from(text.matchAll(/^([A-Z\d_]+)=(.*)$/gm), ([, name, value]) => [name, value]))
}

const known = new Map(Object.values(settings).map((setting) => [setting.name, setting]))

/** Every name is a setting's and every value one that it takes; those that stand for something else are left alone. */
export function checkSettings(t: Test, environment: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(environment)) {
    t.ok(known.has(name), `${name} is a setting`)
    if (!String(value).includes('${')) t.doesNotThrow(() => known.get(name)?.parse(String(value)), `${name}=${value}`)
  }
}

/** What keeps these settings from starting, a line each. */
export function problemsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    return (error as ConfigError).problems
  }
}

/** What a setting is where nobody sets it. */
export function defaultOf(name: string): string {
  return known.get(name)?.fallback ?? ''
}

/** What a replica with these settings can take, in bytes, by the formula in the README. */
export function mostMemoryOf(environment: Record<string, unknown>): number {
  const most = (name: string) => Number(environment[name] ?? defaultOf(name))
  return mostMemory({
    unknown: most('MAX_CONCURRENT_UPLOADS'),
    downloads: most('MAX_CONCURRENT_DOWNLOADS'),
    connections: most('MAX_CONNECTIONS'),
    filesOfForm: most('MAX_FILES_PER_REQUEST'),
  })
}
