import { findWithoutKey } from '#persistence/scrub.ts'
import type { ScrubContext } from './under-way.ts'

const pageSize = 1000

/**
 * Looks for Ready attachments whose key the database does not know: their bytes are lost to every download, wherever they
 * lie.
 * @throws what a query fails with; the signal's reason
 */
export async function reportMissingKeys({ ask, findings, signal }: ScrubContext): Promise<void> {
  let last: number | undefined = 0
  while (last !== undefined) {
    signal.throwIfAborted()
    const after: number = last
    const page = await ask((db) => findWithoutKey(db, after, pageSize))
    for (const attachmentId of page.attachmentIds) findings.missingKey(attachmentId)
    last = page.last
  }
}
