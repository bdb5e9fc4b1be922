import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<object | undefined>

/** Serves on a free port of 127.0.0.1; what the handler resolves with is the answer, as JSON. */
export function answer(handle: Handler): void {
  const server = createServer((request, response) => {
    handle(request, response).then(
      (body) => body && sendJson(response, 200, body),
      (error) => sendJson(response, 500, { error: String(error) }),
    )
  })
  server.requestTimeout = 0
  server.listen(0, '127.0.0.1', () => {
    console.log(`Server listening at http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  })
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}
