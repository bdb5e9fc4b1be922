import { join } from 'node:path'
import t from 'tap'
import { repository, runCommand } from '../kit/command.ts'
import { skipWithout } from '../kit/programs.ts'
import {
  type Anything,
  checkSettings,
  mostMemoryOf,
  parseEnv,
  parseYamls,
  problemsOf,
  readDeploy,
  readYaml,
} from './deploy-files.ts'

const deployment = await readYaml('kubernetes/deployment.yaml')
const scrub = await readYaml('kubernetes/scrub.yaml')
const settings = parseEnv(await readDeploy('kubernetes/settings.env'))
const secret = parseEnv(await readDeploy('kubernetes/secret.env.example'))
const pod = deployment.spec.template.spec
const [container] = pod.containers
const scrubPod = scrub.spec.jobTemplate.spec.template.spec

t.test('settings there are, and all that production asks for', async (t) => {
  checkSettings(t, { ...settings, ...secret })
  t.hasProps({ ...settings, ...secret }, ['DATABASE_URL', 'S3_BUCKET', 'PUBLIC_URL', 'URL_SIGNING_KEY'])
})

t.test('its secrets are refused as long as they are those of the example', async (t) => {
  const problems = problemsOf({ ...settings, ...secret, NODE_ENV: 'production' })
  for (const name of ['DATABASE_URL', 'URL_SIGNING_KEY', 'AWS_SECRET_ACCESS_KEY'])
    t.ok(
      problems.some((problem) => problem.startsWith(`${name} holds a secret of the examples`)),
      name,
    )
  t.equal(problems.length, 3)
})

t.test('numbers that belong together', async (t) => {
  const { preStop } = container.lifecycle
  const shutdown = Number(settings.SHUTDOWN_WAIT_SECONDS) + Number(settings.SHUTDOWN_GRACE_SECONDS)
  t.ok(pod.terminationGracePeriodSeconds >= preStop.sleep.seconds + shutdown + 5)
  t.ok(container.readinessProbe.timeoutSeconds > 3, '/readyz gives database and store three seconds')
  const { requests, limits } = container.resources
  const most = mostMemoryOf(settings)
  t.ok(Number(/^(\d+)Mi$/.exec(limits.memory)?.[1]) * 2 ** 20 > most, `${most} bytes fit`)
  t.equal(requests.memory, limits.memory)
})

t.test('probes', async (t) => {
  const paths = ['startupProbe', 'livenessProbe', 'readinessProbe'].map((probe) => container[probe].httpGet)
  t.strictSame(paths, [
    { path: '/livez', port: 'http' },
    { path: '/livez', port: 'http' },
    { path: '/readyz', port: 'http' },
  ])
  t.match(container.ports, [{ name: 'http', containerPort: 3000 }])
})

t.test('nobody is root, and nobody writes', async (t) => {
  for (const { securityContext, containers } of [pod, scrubPod]) {
    t.match(securityContext, { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } })
    t.match(containers[0].securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
  }
})

t.test('the budget and the service find the pods, and the scrub is none of them', async (t) => {
  const { labels } = deployment.spec.template.metadata
  const budget = await readYaml('kubernetes/poddisruptionbudget.yaml')
  const service = await readYaml('kubernetes/service.yaml')
  for (const found of [deployment.spec.selector.matchLabels, budget.spec.selector.matchLabels, service.spec.selector]) {
    t.strictSame(found, labels)
  }
  t.notSame(scrub.spec.jobTemplate.spec.template.metadata.labels, labels)
})

t.test('the ingress passes on what nginx does, and what is inside stays there', async (t) => {
  const { metadata, spec } = await readYaml('kubernetes/ingress.yaml')
  const site = await readDeploy('nginx/stowage.conf')
  const ofNginx: Record<string, string> = { 'proxy-body-size': 'client_max_body_size' }
  for (const [annotation, value] of Object.entries<string>(metadata.annotations)) {
    const name = annotation.replace('nginx.ingress.kubernetes.io/', '')
    const directive = ofNginx[name] ?? name.replaceAll('-', '_')
    t.match(site, new RegExp(`^ +${directive} ${value}s?;$`, 'm'), `${directive} ${value}`)
  }
  const paths = spec.rules[0].http.paths.map(({ path }: { path: string }) => path)
  t.strictSame(paths, ['/api/v1', '/v1', '/files', '/docs', '/openapi.json'])
})

const skip = skipWithout('kubectl', ['kubectl', 'version', '--client'], { isOptional: true })
t.test('kubectl makes them one', { skip }, async (t) => {
  const command = ['kubectl', 'kustomize', join(repository, 'deploy/kubernetes')]
  const { code, stdout, stderr } = await runCommand(command, { cwd: repository, env: {} })
  t.match({ code, stderr }, { code: 0, stderr: '' })
  const objects: Record<string, Anything> = Object.fromEntries(
    parseYamls(stdout).map((object) => [object.kind, object]),
  )
  const kinds = ['ConfigMap', 'CronJob', 'Deployment', 'Ingress', 'PodDisruptionBudget', 'Service']
  t.strictSame(Object.keys(objects).sort(), kinds)
  t.strictSame(objects.ConfigMap.data, settings)
  const pods = [objects.Deployment.spec.template.spec, objects.CronJob.spec.jobTemplate.spec.template.spec]
  for (const { containers } of pods) {
    t.equal(containers[0].image, 'registry.example/stowage:latest')
    t.strictSame(containers[0].envFrom, [
      { configMapRef: { name: objects.ConfigMap.metadata.name } },
      { secretRef: { name: 'stowage' } },
    ])
  }
})
