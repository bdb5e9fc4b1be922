import {
  discard,
  libStorage,
  multerS3,
  multipart,
  rawGet,
  rawPut,
  sdkGet,
  sdkPut,
  sha256,
} from '../contenders/floors.ts'
import { declaredForm, download, form, put } from '../contenders/stowage.ts'
import type { Scenario } from './scenario.ts'
import { KiB, MiB } from './sizes.ts'

const floors = [discard, sha256, multipart, rawPut]
const others = [libStorage, multerS3]

/** Every scenario at full size: about a quarter of an hour. */
export const fullScenarios: Scenario[] = [
  {
    name: 'large upload',
    amount: { requests: 1, fileBytes: 512 * MiB },
    concurrency: 1,
    warmUp: { requests: 1, fileBytes: 64 * MiB },
    rounds: 3,
    cpuPer: 'GiB',
    contenders: [...floors, form, declaredForm, put, ...others],
  },
  {
    name: 'parallel upload',
    amount: { requests: 8, fileBytes: 64 * MiB },
    concurrency: 8,
    warmUp: { requests: 1, fileBytes: 64 * MiB },
    rounds: 3,
    cpuPer: 'GiB',
    contenders: [...floors, form, put, ...others],
  },
  {
    name: 'slow upload',
    amount: { requests: 100, fileBytes: 12 * MiB },
    concurrency: 100,
    bytesPerSecond: 400_000,
    rounds: 1,
    cpuPer: 'GiB',
    contenders: [rawPut, form, declaredForm, put, ...others],
  },
  {
    name: 'small upload',
    amount: { requests: 2000, fileBytes: 64 * KiB },
    concurrency: 16,
    warmUp: { requests: 500, fileBytes: 64 * KiB },
    rounds: 3,
    cpuPer: 'request',
    contenders: [...floors, form, put, sdkPut, ...others],
  },
  {
    name: 'medium upload',
    amount: { requests: 400, fileBytes: 1 * MiB },
    concurrency: 16,
    warmUp: { requests: 100, fileBytes: 1 * MiB },
    rounds: 3,
    cpuPer: 'request',
    contenders: [rawPut, form, put, ...others],
  },
  {
    name: 'large download',
    amount: { requests: 1, fileBytes: 512 * MiB },
    concurrency: 1,
    warmUp: { requests: 1, fileBytes: 512 * MiB },
    rounds: 3,
    cpuPer: 'GiB',
    contenders: [rawGet, download, sdkGet],
    isDownload: true,
  },
  {
    name: 'small download',
    amount: { requests: 3000, fileBytes: 64 * KiB },
    concurrency: 16,
    warmUp: { requests: 500, fileBytes: 64 * KiB },
    rounds: 3,
    cpuPer: 'request',
    contenders: [rawGet, download, sdkGet],
    isDownload: true,
  },
]
