import { dirname, join } from 'node:path'
import t from 'tap'
import { type Source, sources } from './kit/sources.ts'

/**
 * The floors of the house, from the ground up. A module imports modules of its own folder and of lower floors; rooms of one floor do
 * not know each other.
 */
const floors: readonly (readonly string[])[] = [
  ['domain'],
  ['async', 'failpoints.ts'],
  ['config', 'persistence', 'store'],
  ['auth', 'app-context.ts'],
  ['uploads', 'downloads', 'deletion', 'rooms'],
  ['recovery'],
  ['scrub', 'workers'],
  ['http'],
  ['server.ts', 'worker.ts'],
  ['commands'],
  ['main.ts'],
]

/** The rooms in which a package may be imported. Types are allowed nowhere else either. */
const packages: readonly { name: RegExp; rooms: readonly string[]; because: string }[] = [
  {
    name: /^(@?fastify\b|fastify-plugin$)/,
    rooms: ['http', 'server.ts', 'worker.ts'],
    because: 'only HTTP knows Fastify',
  },
  { name: /^(drizzle-orm|postgres$)/, rooms: ['persistence'], because: 'persistence holds all SQL' },
  { name: /^(@aws-sdk|@smithy)\b/, rooms: ['store'], because: 'only the store knows S3' },
]

/** Node's modules that do no I/O: all that the domain may import of them. */
const pureModules = ['node:buffer', 'node:crypto', 'node:path', 'node:util']

/** The modules of persistence whose functions HTTP calls. It writes through the rooms between. */
const readModules = [
  'persistence/queries.ts',
  'persistence/server-identity.ts',
  'persistence/connection/errors.ts',
  'persistence/connection/client.ts',
]

interface Import {
  from: string
  /** A path below `src`, or the name of a package. */
  to: string
  isOurs: boolean
  isType: boolean
}

/** Types are stripped from the tree, so the imports are read from the text. */
function importsOf({ path, text }: Source): Import[] {
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm)
  const dynamic = text.matchAll(/\bimport\('([^']+)'\)/g)
  const found = [
    ...[...statements].map(([, type, name = '']) => ({ name, isType: type !== undefined })),
    ...[...dynamic].map(([, name = '']) => ({ name, isType: false })),
  ]
  return found.map(({ name, isType }) => {
    const isOurs = name.startsWith('#') || name.startsWith('.')
    const to = name.startsWith('#') ? name.slice(1) : name.startsWith('.') ? join(dirname(path), name) : name
    return { from: path, to, isOurs, isType }
  })
}

/** The only module that loads `dev/`, which production does not have. */
const devLoader = 'commands/dev-folder.ts'

const roomOf = (path: string) => path.split('/')[0] ?? ''
const floorOf = (path: string) => floors.findIndex((rooms) => rooms.includes(roomOf(path)))

/** What is wrong with an import, in words; `undefined` when nothing is. */
function objection({ from, to, isOurs, isType }: Import): string | undefined {
  if (!isOurs) {
    const forbidden = packages.find(({ name, rooms }) => name.test(to) && !rooms.includes(roomOf(from)))
    if (forbidden) return `${from} imports ${to}, but ${forbidden.because}`
    const isImpure = roomOf(from) === 'domain' && to.startsWith('node:') && !pureModules.includes(to)
    return isImpure ? `${from} imports ${to}, but the domain does no I/O` : undefined
  }
  if (roomOf(from) === roomOf(to)) return undefined
  if (roomOf(to) === 'dev')
    return from === devLoader ? undefined : `${from} imports ${to}, but only ${devLoader} loads dev/`
  if (floorOf(to) >= floorOf(from)) return `${from} imports ${to}, which is not on a lower floor`
  if (roomOf(from) === 'http' && roomOf(to) === 'persistence' && !isType && !readModules.includes(to))
    return `${from} calls ${to}, but HTTP writes through uploads, deletion, rooms and auth`
  return undefined
}

/** Paths that lead back to where they began, each told once. */
function circlesIn(imports: readonly Import[]): string[] {
  const next = new Map<string, string[]>()
  for (const { from, to, isOurs } of imports) if (isOurs) next.set(from, [...(next.get(from) ?? []), to])
  const circles: string[] = []
  const done = new Set<string>()
  const walk = (path: string, way: readonly string[]) => {
    if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(' -> '))
    if (done.has(path) || way.includes(path)) return
    for (const to of next.get(path) ?? []) walk(to, [...way, path])
    done.add(path)
  }
  for (const path of next.keys()) walk(path, [])
  return circles
}

t.test('dependencies point down', async (t) => {
  const files = sources('**/*.ts')
  const imports = files.flatMap(importsOf)
  t.ok(imports.length > 500, `${imports.length} were found`)
  for (const { path } of files) t.not(floorOf(path), -1, `${path} is on a floor`)
  t.strictSame(imports.map(objection).filter(Boolean), [])
  t.strictSame(circlesIn(imports), [], 'no circle of files')
  t.strictSame(
    files.filter(({ text }) => /from '\.\.\/\.\.\//.test(text)).map(({ path }) => path),
    [],
    'no path that climbs two floors: #folder/file.ts instead',
  )
})

t.test('a dependency that points elsewhere is told', async (t) => {
  const ours = (from: string, to: string, isType = false) => objection({ from, to, isOurs: true, isType })
  const foreign = (from: string, to: string) => objection({ from, to, isOurs: false, isType: true })
  t.match(ours('persistence/schema.ts', 'uploads/upload.ts'), /not on a lower floor/)
  t.match(ours('uploads/upload.ts', 'deletion/purge.ts'), /not on a lower floor/)
  t.match(ours('http/files.ts', 'persistence/transitions.ts'), /HTTP writes through/)
  t.equal(ours('http/files.ts', 'persistence/transitions.ts', true), undefined)
  t.match(ours('commands/serve.ts', 'dev/demo.ts'), /only commands\/dev-folder.ts loads dev/)
  t.match(foreign('uploads/upload.ts', 'fastify'), /only HTTP knows Fastify/)
  t.match(foreign('rooms/rooms.ts', 'drizzle-orm'), /persistence holds all SQL/)
  t.match(foreign('uploads/ingest.ts', '@aws-sdk/client-s3'), /only the store knows S3/)
  t.match(foreign('domain/states.ts', 'node:fs'), /does no I\/O/)
  const circle = [
    ['a.ts', 'b.ts'],
    ['b.ts', 'a.ts'],
  ].map(([from = '', to = '']) => ({ from, to, isOurs: true, isType: true }))
  t.strictSame(circlesIn(circle), ['a.ts -> b.ts -> a.ts'])
  const text = "import { a } from '#x/y.ts'\nimport type {\n  b,\n} from './z.ts'\nexport { c } from 'tap'\n"
  const read = importsOf({ path: 'x/w.ts', text } as Source)
  t.strictSame(
    read.map(({ to, isType }) => [to, isType]),
    [
      ['x/y.ts', false],
      ['x/z.ts', true],
      ['tap', false],
    ],
  )
})
