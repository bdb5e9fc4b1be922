import { settings } from './settings.ts'

/** The public secrets in `.env.example`, `minio.compose.yml` and `deploy/`. */
const exampleSecrets: ReadonlySet<string> = new Set([
  'at-least-32-characters-of-randomness',
  'stowage-secret',
  'secret',
])

/** The settings that can hold an example secret. */
interface Secrets {
  databaseUrl: string | undefined
  awsSecretAccessKey: string | undefined
  urlSigningKey: string | undefined
  urlSigningKeys: readonly string[] | undefined
  production: boolean
}

/** One line for every setting with an example secret. Outside production only signing keys count, as links leave the machine. */
export function exampleProblems(config: Secrets): string[] {
  const { databaseUrl, awsSecretAccessKey, urlSigningKey, urlSigningKeys, production } = config
  const password = databaseUrl === undefined ? undefined : URL.parse(databaseUrl)?.password
  const problemOf = (name: string, ...values: (string | undefined)[]) =>
    values.some((value) => value !== undefined && exampleSecrets.has(value))
      ? [`${name} holds a secret of the examples, which everybody knows: \`openssl rand -hex 32\` makes one`]
      : []
  return [
    ...problemOf(settings.urlSigningKey.name, urlSigningKey),
    ...problemOf(settings.urlSigningKeys.name, ...(urlSigningKeys ?? [])),
    ...(production ? problemOf(settings.databaseUrl.name, password) : []),
    ...(production ? problemOf(settings.awsSecretAccessKey.name, awsSecretAccessKey) : []),
  ]
}
