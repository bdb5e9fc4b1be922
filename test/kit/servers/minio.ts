import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findFreePort } from '#dev/free-port.ts'
import type { S3Access } from '../bucket.ts'
import { findOrBuild, minio } from './go-program.ts'
import { type ServerCommand, startServer } from './server.ts'

/** An S3 server for the tests. */
export interface S3Server {
  description: string
  access: S3Access
  stop(): Promise<void>
}

const defaultRegion = 'us-east-1'
const rootUser = 'stowage'
const rootPassword = 'stowage-tests-only'
const composeFile = new URL('../../../minio.compose.yml', import.meta.url)

/**
 * The S3 server that the environment names, or a MinIO of our own with its state in `directory`: from the path, from
 * the cache, built with Go, or in Docker. `undefined` when there is no way to have one.
 */
export async function startS3(directory: string, log: (message: string) => void): Promise<S3Server | undefined> {
  if (process.env.S3_ENDPOINT) return useGivenServer(process.env.S3_ENDPOINT)
  const port = await findFreePort()
  const program = await findOrBuild(minio, log)
  if (program) return startMinio(program, minioCommand(program, { port, directory, data: join(directory, 'minio') }))
  const image = await findDockerImage()
  if (image) return startMinio(image, describeContainer(image, port, directory))
  return undefined
}

function useGivenServer(endpoint: string): S3Server {
  const { AWS_REGION, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = process.env
  if (!accessKeyId || !secretAccessKey)
    throw new Error('S3_ENDPOINT is set: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY too, or unset it.')
  const access = { endpoint, region: AWS_REGION || defaultRegion, accessKeyId, secretAccessKey }
  return { description: endpoint, access, stop: async () => {} }
}

async function startMinio(description: string, server: StoreCommand): Promise<S3Server> {
  const stop = await startServer(server)
  return { description, access: accessTo(server.endpoint), stop }
}

/** Tells the test files where the S3 server is, for `createTestBucket`. */
export function environmentOf({ endpoint, region, accessKeyId, secretAccessKey }: S3Access): Record<string, string> {
  const credentials = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
  return { S3_ENDPOINT: endpoint, AWS_REGION: region, ...credentials }
}

/** How to use a MinIO of ours. */
export function accessTo(endpoint: string): S3Access {
  return { endpoint, region: defaultRegion, accessKeyId: rootUser, secretAccessKey: rootPassword }
}

interface StoreCommand extends ServerCommand {
  endpoint: string
}

/** @param place the port, the folder of its logs, and that of its objects */
export function minioCommand(
  program: string,
  { port, directory, data }: { port: number; directory: string; data: string },
): StoreCommand {
  return {
    ...addressesOf(port),
    command: program,
    args: [
      'server',
      `--address=127.0.0.1:${port}`,
      '--console-address=127.0.0.1:0',
      `--certs-dir=${join(directory, 'minio-certificates')}`,
      data,
    ],
    env: { MINIO_ROOT_USER: rootUser, MINIO_ROOT_PASSWORD: rootPassword, MINIO_BROWSER: 'off', MINIO_UPDATE: 'off' },
    logFile: join(directory, 'minio.log'),
  }
}

function addressesOf(port: number) {
  const endpoint = `http://127.0.0.1:${port}`
  return { endpoint, healthUrl: `${endpoint}/minio/health/ready` }
}

function describeContainer(image: string, port: number, directory: string): StoreCommand {
  const variables = [`MINIO_ROOT_USER=${rootUser}`, `MINIO_ROOT_PASSWORD=${rootPassword}`]
  return {
    ...addressesOf(port),
    command: 'docker',
    args: [
      ...['run', '--rm', `--publish=127.0.0.1:${port}:9000`],
      ...variables.map((variable) => `--env=${variable}`),
      ...[image, 'server', '/data'],
    ],
    logFile: join(directory, 'minio.log'),
  }
}

/** The image that minio.compose.yml pins, when a Docker engine answers. */
async function findDockerImage(): Promise<string | undefined> {
  if (spawnSync('docker', ['info'], { timeout: 10_000 }).status !== 0) return undefined
  return /image: (\S*minio\/minio:\S+)/.exec(await readFile(composeFile, 'utf8'))?.[1]
}
