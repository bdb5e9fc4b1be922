import fc from 'fast-check'
import { type Content, contents, otherThan, sha256Of } from '../expected/content.ts'
import type { Model } from '../expected/model.ts'
import { kept, plainNames } from '../expected/names.ts'
import { Upload } from '../expected/upload.ts'
import { formRequest } from '../real/requests.ts'
import type { Run } from '../real/run.ts'

/** How a client sends new files. */
export interface FormChoice {
  files: { name: string; content: Content }[]
  declaresSizes: boolean
  declaresChecksums: boolean
  isChunked: boolean
  flaw: 'none' | 'wrong digest' | 'wrong size' | 'open end' | 'too many declared'
  /** Which of the files has the flaw. */
  flawed: number
}

const flaws = fc.constantFrom<FormChoice['flaw']>('none', 'none', 'none', 'none', 'none', 'wrong digest')

/** Of a form that is held, nothing but its digests may be wrong: other flaws would fail it before it is finished. */
export const heldForms = formsWith(flaws)
export const wholeForms = formsWith(
  fc.oneof({ weight: 3, arbitrary: flaws }, fc.constantFrom('wrong size', 'open end', 'too many declared')),
)

function formsWith(flaw: fc.Arbitrary<FormChoice['flaw']>): fc.Arbitrary<FormChoice> {
  return fc.record({
    files: fc.array(fc.record({ name: plainNames, content: contents }), { minLength: 1, maxLength: 3, size: 'max' }),
    declaresSizes: fc.boolean(),
    declaresChecksums: fc.boolean(),
    isChunked: fc.boolean(),
    flaw,
    flawed: fc.nat(2),
  })
}

/** What the model is told of it before it is sent, and the request. */
export function planForm(model: Model, run: Run, replica: number, messageId: number, choice: FormChoice) {
  const { flaw, isChunked } = choice
  const number = model.nextUpload()
  const files = choice.files.map((_, index) => fileOf(choice, number, index))
  const isMalformed = ['wrong size', 'open end', 'too many declared'].includes(flaw)
  const upload = new Upload(number, { replica, messageId, files, isMalformed })
  const fields = files.flatMap(({ declared: { size, checksum } }) => [
    ...(size === null ? [] : [['fileSize', String(size)] as const]),
    ...(checksum === null ? [] : [['fileChecksum', checksum] as const]),
  ])
  if (flaw === 'too many declared') fields.push(['fileSize', '1'])
  const form = { files, fields, isChunked, isClosed: flaw !== 'open end' }
  return { upload, request: formRequest(messageId, run.stage.cookie, form) }
}

/** Its name tells it from all others of the run. */
function fileOf({ files, declaresSizes, declaresChecksums, flaw, flawed }: FormChoice, number: number, index: number) {
  const { name, content } = files[index] as FormChoice['files'][number]
  const isFlawed = index === flawed % files.length
  const hasWrongSize = isFlawed && flaw === 'wrong size'
  const hasWrongDigest = flaw === 'wrong digest' && isFlawed
  const declaresSize = declaresSizes || ['wrong size', 'too many declared'].includes(flaw)
  const size = declaresSize ? content.size + (hasWrongSize ? 1 : 0) : null
  const isDigested = declaresChecksums || flaw === 'wrong digest'
  const checksum = isDigested ? sha256Of(hasWrongDigest ? otherThan(content) : content) : null
  const digests = checksum === null ? [] : [checksum]
  return { fileName: kept(`${number}.${index} ${name}`), content, declared: { size, checksum }, digests, attempt: 1 }
}
