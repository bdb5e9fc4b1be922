import { keepsAnnouncedSizes } from '../contract-sizes.ts'
import { openBehindProxy, partSize, s3Test } from '../s3-fixture.ts'

for (const [how, changes] of [
  ['without checksums', { checksums: 'off' }],
  ['in parts', { largestRequest: partSize }],
  ['in parts without checksums', { largestRequest: partSize, checksums: 'off' }],
] as const) {
  s3Test(`The S3 store keeps to the sizes it is told ${how}`, async (t) =>
    keepsAnnouncedSizes(t, await openBehindProxy(t, changes)),
  )
}
