import { settings } from './settings.ts'

/** The secrets in `.env.example`, `minio.compose.yml` and `deploy/`, where everybody can read them. */
const exampleSecrets: ReadonlySet<string> = new Set([
  'at-least-32-characters-of-randomness',
  'stowage-secret',
  'secret',
])

/** The settings that can hold one of them. */
interface Secrets {
  databaseUrl: string | undefined
  awsSecretAccessKey: string | undefined
  urlSigningKey: string | undefined
  urlSigningKeys: readonly string[] | undefined
  production: boolean
}

/** A line for every secret that is one of the examples. Outside production only signing keys count, because links leave the machine. */
export function exampleProblems(config: Secrets): string[] {
  const { databaseUrl, awsSecretAccessKey, urlSigningKey, urlSigningKeys, production } = config
  const password = databaseUrl === undefined ? undefined : URL.parse(databaseUrl)?.password
  const told = (name: string, ...values: (string | undefined)[]) =>
    values.some((value) => value !== undefined && exampleSecrets.has(value))
      ? [`${name} holds a secret of the examples, which everybody knows: \`openssl rand -hex 32\` makes one`]
      : []
  return [
    ...told(settings.urlSigningKey.name, urlSigningKey),
    ...told(settings.urlSigningKeys.name, ...(urlSigningKeys ?? [])),
    ...(production ? told(settings.databaseUrl.name, password) : []),
    ...(production ? told(settings.awsSecretAccessKey.name, awsSecretAccessKey) : []),
  ]
}
