import { keepsSessions } from '../contract-multipart.ts'
import { openBehindProxy, s3Test } from '../s3-fixture.ts'

s3Test('The S3 store keeps the contract of multipart sessions without checksums', async (t) =>
  keepsSessions(t, await openBehindProxy(t, { checksums: 'off' })),
)
