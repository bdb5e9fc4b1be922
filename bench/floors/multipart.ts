/** Reads a form, takes it apart and throws the file away. */
import { finished } from 'node:stream/promises'
import { Busboy, type BusboyHeaders } from '@fastify/busboy'
import { answer } from './answer.ts'

answer(async (request) => {
  let bytes = 0
  const form = new Busboy({ headers: request.headers as BusboyHeaders })
  form.on('file', (_, file) => {
    file.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
  })
  request.pipe(form)
  await finished(form)
  return { bytes }
})
