import { discard, multerS3, multipart, rawPut, sha256 } from '../contenders/floors.ts'
import { declaredForm, form, put } from '../contenders/stowage.ts'
import { fullScenarios } from './full.ts'
import type { Scenario, ScenarioName } from './scenario.ts'
import { KiB, MiB } from './sizes.ts'

const quickChanges: Record<ScenarioName, Partial<Scenario>> = {
  'large upload': {
    amount: { requests: 1, fileBytes: 128 * MiB },
    warmUp: { requests: 1, fileBytes: 64 * MiB },
    contenders: [discard, sha256, multipart, rawPut, form, declaredForm, put],
  },
  'parallel upload': {
    amount: { requests: 2, fileBytes: 32 * MiB },
    concurrency: 2,
    warmUp: { requests: 1, fileBytes: 16 * MiB },
    contenders: [form, put],
  },
  'slow upload': {
    amount: { requests: 30, fileBytes: 6 * MiB },
    concurrency: 30,
    bytesPerSecond: 2_000_000,
    contenders: [form, declaredForm, put],
  },
  'small upload': {
    amount: { requests: 400, fileBytes: 64 * KiB },
    warmUp: { requests: 200, fileBytes: 64 * KiB },
    contenders: [rawPut, form, put, multerS3],
  },
  'medium upload': {
    amount: { requests: 100, fileBytes: 1 * MiB },
    warmUp: { requests: 50, fileBytes: 1 * MiB },
    contenders: [rawPut, form, put, multerS3],
  },
  'large download': {
    amount: { requests: 1, fileBytes: 128 * MiB },
    warmUp: { requests: 1, fileBytes: 128 * MiB },
  },
  'small download': { amount: { requests: 800, fileBytes: 64 * KiB }, warmUp: { requests: 300, fileBytes: 64 * KiB } },
}

/** The same in less than a minute: less is sent, once, and only to what the targets need. */
export const quickScenarios: Scenario[] = fullScenarios.map((scenario) => ({
  ...scenario,
  ...quickChanges[scenario.name],
  rounds: 1,
}))
