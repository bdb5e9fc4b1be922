import type { App } from '#http/app.ts'
import { errorTypes } from '#http/bearer-api/errors.ts'

const rows = Object.entries(errorTypes).map(
  ([type, { statuses, meaning }]) =>
    `<tr id="${type}"><th scope="row"><code>${type}</code></th><td>${statuses.join(', ')}</td><td>${meaning}</td></tr>`,
)

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Stowage: errors of the bearer API</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
table { border-collapse: collapse } th, td { text-align: left; vertical-align: top; padding: .5rem 1rem .5rem 0; border-top: 1px solid #8888 }
:target { background: #fd68 }
</style>
<h1>Errors of the bearer API</h1>
<p>Every error is a JSON object with <code>type</code>, <code>message</code> and <code>documentation_url</code>, which leads here.</p>
<table>
<thead><tr><th>type</th><th>status</th><th>meaning</th></tr></thead>
<tbody>${rows.join('\n')}</tbody>
</table>
</html>
`

/** `GET /docs/errors`: the page to which the `documentation_url` of every error links. */
export function errorDocsRoute(app: App): void {
  app.get('/docs/errors', async (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
      .send(page),
  )
}
