import assert from 'node:assert/strict'
import { Attachment } from '../expected/attachment.ts'
import { otherThan } from '../expected/content.ts'
import type { Message, Model } from '../expected/model.ts'
import { ready, type State } from '../expected/states.ts'
import type { Sent, Upload } from '../expected/upload.ts'
import type { Run } from '../real/run.ts'

/** The metadata of the cookie API, as far as the model knows it. */
export interface Seen {
  attachmentId: number
  attachmentState: State
  fileName: string
  failureReason?: string
}

/** Every attachment is what the model says, on every server that runs; what the model leaves open is known afterwards. */
export async function look(model: Model, run: Run): Promise<void> {
  for (const url of run.stage.replicas.inService()) {
    await Promise.all([
      ...model.messages.map((message) => lookAtMessage(model, run, url, message)),
      ...model.attachments.filter(({ isDeleted }) => isDeleted).map((one) => lookAtOne(model, run, url, one)),
    ])
  }
}

/** Those that are there one by one, too. */
export async function lookAtEach(model: Model, run: Run): Promise<void> {
  const [url] = run.stage.replicas.inService()
  await Promise.all(model.alive.map((attachment) => lookAtOne(model, run, url, attachment)))
}

async function lookAtMessage(model: Model, run: Run, url: string, message: Message): Promise<void> {
  const rows = await list(run, url, message)
  for (const { upload } of adopt(model, rows)) if (!model.held.includes(upload) || upload.isLost) upload.leaveOpen()
  const alive = model.alive.filter(({ messageId }) => messageId === message.id)
  assert.deepEqual(
    idsOf(rows),
    alive.map(({ id }) => id).toSorted(ascending),
    `The attachments of message ${message.id}`,
  )
  for (const row of rows) compare(model, alive.find(({ id }) => id === row.attachmentId) as Attachment, row)
  allOrNone(model)
}

async function lookAtOne(model: Model, run: Run, url: string, attachment: Attachment): Promise<void> {
  const response = await run.read(url, `/attachments/${attachment.id}`)
  const answer = (await response.json()) as Seen
  const status = attachment.isDeleted ? 404 : 200
  assert.equal(response.status, status, `Attachment ${attachment.id}: ${JSON.stringify(answer)}`)
  if (status === 200) compare(model, attachment, answer)
}

/** What there is of a message, in one statement of the server's. */
export async function list(run: Run, url: string, { id, isDeleted }: Message): Promise<Seen[]> {
  const response = await run.read(url, `/messages/${id}/attachments`)
  const answer = (await response.json()) as { attachments: Seen[] }
  assert.equal(response.status, isDeleted ? 404 : 200, `Message ${id}: ${JSON.stringify(answer)}`)
  return isDeleted ? [] : answer.attachments
}

/** Takes in the files of forms that have begun to arrive. @returns those that are new */
export function adopt(model: Model, rows: readonly Seen[]): { upload: Upload; file: Sent }[] {
  const known = new Set(model.attachments.map(({ id }) => id))
  return rows.flatMap((row) => {
    if (known.has(row.attachmentId)) return []
    const announced = model.announced.get(row.fileName)
    assert.ok(announced, `Nobody has uploaded ${JSON.stringify(row)}`)
    const { upload, file } = announced
    assert.equal(file.attachment, undefined, `There are two of ${JSON.stringify(row)}`)
    const { fileName, content, declared } = file
    const place = { id: row.attachmentId, messageId: upload.messageId, fileName }
    file.attachment = new Attachment(place, declared, [content, otherThan(content)])
    file.attachment.begin(content)
    model.attachments.push(file.attachment)
    return [announced]
  })
}

function compare({ roomId }: Model, attachment: Attachment, seen: Seen): void {
  attachment.see(seen.attachmentState)
  const expected = attachment.metadata(roomId)
  const { failureReason = '', ...fields } = seen
  const all: Record<string, unknown> = { ...fields, hasFailureReason: failureReason !== '' }
  const actual = Object.fromEntries(Object.keys(expected).map((name) => [name, all[name]]))
  assert.deepEqual(actual, expected, `The metadata of attachment ${attachment.id}`)
}

/** The files of one request are Ready together or not at all. */
function allOrNone({ forms }: Model): void {
  for (const { files } of forms) {
    const states = files.flatMap(({ attachment, attempt }) =>
      attachment && !attachment.isDeleted && attachment.attempt === attempt ? [attachment.state] : [],
    )
    const count = states.filter((state) => state === ready).length
    assert.ok(count === 0 || count === states.length, `The files of one request are ${states.join(' and ')}`)
  }
}

const idsOf = (rows: readonly Seen[]) => rows.map(({ attachmentId }) => attachmentId).toSorted(ascending)

const ascending = (one: number, other: number) => one - other
