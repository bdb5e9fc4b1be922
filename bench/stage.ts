import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Backends } from './backends/backends.ts'
import type { Bucket } from './backends/bucket.ts'
import type { Database } from './backends/database.ts'
import type { Client } from './client/client-process.ts'
import { type ServerProcess, startServer } from './processes/server-process.ts'

/** A deployment of Stowage with a user, a room, messages and the files that are downloaded. */
export interface Fixture extends AsyncDisposable {
  /** Every measurement works on a copy of its own. */
  database: Database
  /** Holds the files that are downloaded. */
  bucket: Bucket
  cookie: string
  /** The messages that files are attached to in turn. */
  messageIds: number[]
  /** Where the file of so many bytes is. */
  downloads: Map<number, { path: string; objectKey: string }>
}

/** The parts that all measurements of a run share. */
export interface Stage {
  backends: Backends
  /** Sends all loads. */
  client: Client
  /** Where processes run, without a developer's `.env`, and their logs lie; gone after the run. */
  directory: string
  /** Of every server. */
  flags: string[]
  /** Ends everything. */
  signal: AbortSignal
  /** What Stowage's servers begin with. */
  fixture: Fixture
  /** Folder that gets CPU profiles of Stowage; none are made when unset. */
  profiles: string | undefined
}

const root = fileURLToPath(new URL('..', import.meta.url))

type Place = Pick<Stage, 'directory' | 'signal'>

let logs = 0

/** Where a process of the bench runs and writes. */
export function placeIn({ directory, signal }: Place) {
  logs += 1
  return { cwd: directory, logFile: join(directory, `${logs}.log`), signal }
}

/** Starts a server. @param script from the repository's root, and its arguments */
export async function startOn(
  stage: Place & Pick<Stage, 'flags'>,
  [script = '', ...args]: string[],
  env: NodeJS.ProcessEnv,
  moreFlags: string[] = [],
): Promise<ServerProcess> {
  const flags = [...stage.flags, ...moreFlags]
  return startServer({ ...placeIn(stage), flags, script: [join(root, script), ...args], env })
}
