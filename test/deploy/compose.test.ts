import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { repository, runCommand } from '../kit/command.ts'
import { skipWithout } from '../kit/programs.ts'
import { checkSettings, mostMemoryOf, parseEnv, readDeploy, readYaml } from './deploy-files.ts'

const compose = await readYaml('compose.yml')
const { nginx, minio, bucket, postgres, stowage } = compose.services
const replicas = [compose.services['stowage-1'], compose.services['stowage-2']]
const seconds = (text: string) => Number(/^(\d+)s$/.exec(text)?.[1])

t.test('two replicas that are alike, with settings there are', async (t) => {
  const [{ networks: _one, ...one }, { networks: _other, ...other }] = replicas
  t.strictSame(one, other)
  t.strictSame(one.environment, stowage.environment, 'commands run with the same settings')
  checkSettings(t, one.environment)
  t.match(one, { read_only: true, cap_drop: ['ALL'], restart: 'unless-stopped' })
  t.notOk('command' in one, 'the image serves')
})

t.test('numbers that belong together', async (t) => {
  const { environment, stop_grace_period, mem_limit } = replicas[0]
  const stop = environment.SHUTDOWN_WAIT_SECONDS + environment.SHUTDOWN_GRACE_SECONDS
  t.ok(seconds(stop_grace_period) >= stop + 5, 'Docker kills only after the grace is over and its failures are written')
  t.ok(Number(/^(\d+)m$/.exec(mem_limit)?.[1]) * 2 ** 20 > mostMemoryOf(environment))
})

t.test("nginx finds the replicas of its file, and they believe nginx's headers", async (t) => {
  const file = await readDeploy('nginx/stowage.conf')
  const names = Array.from(file.matchAll(/^ +server ([\w-]+):3000 /gm), ([, name]) => name)
  t.strictSame(names, ['stowage-1', 'stowage-2'])
  t.strictSame(Object.keys(nginx.depends_on), names)
  t.ok(
    replicas.every(({ networks }) => networks.default.ipv4_address),
    'nginx looks names up once: their addresses stay',
  )
  t.equal(replicas[0].environment.TRUST_PROXY, nginx.networks.default.ipv4_address)
  t.strictSame(nginx.volumes, ['./nginx/stowage.conf:/etc/nginx/conf.d/default.conf:ro'])
})

t.test('images and files', async (t) => {
  const minioCompose = parse(await readFile(join(repository, 'minio.compose.yml'), 'utf8'))
  t.equal(minio.image, minioCompose.services.minio.image)
  t.equal(bucket.image, minioCompose.services.bucket.image)
  for (const image of [minio.image, bucket.image])
    t.match(image, /^quay\.io\/minio\/\w+:RELEASE\./, 'Docker Hub has none')
  t.match([nginx.image, postgres.image], [/:\d+\.\d+/, /:18$/])
  const { context, dockerfile } = stowage.build
  await t.resolves(access(join(repository, 'deploy', context, dockerfile)))
})

t.test('.env.example has what has to be set, and nothing else', async (t) => {
  const required = new Set(Array.from((await readDeploy('compose.yml')).matchAll(/\$\{(\w+):\?/g), ([, name]) => name))
  t.strictSame(Object.keys(parseEnv(await readDeploy('.env.example'))).sort(), [...required].sort())
})

const skip = skipWithout('docker compose', ['docker', 'compose', 'version'], { isOptional: true })
t.test('docker compose understands it', { skip }, async (t) => {
  const config = (env: Record<string, string>) =>
    runCommand(['docker', 'compose', '--file', join(repository, 'deploy/compose.yml'), 'config', '--format', 'json'], {
      cwd: repository,
      env: { DOCKER_CONFIG: process.env.DOCKER_CONFIG, ...env },
    })
  const secrets = Object.fromEntries(
    Object.entries(parseEnv(await readDeploy('.env.example'))).map(([name, value]) => [name, value || 'x'.repeat(32)]),
  )
  const { code, stdout, stderr } = await config(secrets)
  t.match({ code, stderr }, { code: 0, stderr: '' })
  const { services } = JSON.parse(stdout)
  t.strictSame(Object.keys(services).sort(), ['bucket', 'minio', 'nginx', 'postgres', 'stowage-1', 'stowage-2'])
  t.match(services['stowage-2'], {
    stop_grace_period: '45s',
    read_only: true,
    depends_on: { postgres: {}, bucket: {} },
  })

  const { URL_SIGNING_KEY: _, ...tooFew } = secrets
  t.match(await config(tooFew), { code: 1, stderr: /URL_SIGNING_KEY/ }, 'no key, no start')
})
