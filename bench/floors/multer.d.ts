declare module 'multer' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  type Middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void
  export default function multer(options: { storage: object }): { single(field: string): Middleware }
}

declare module 'multer-s3' {
  import type { S3Client } from '@aws-sdk/client-s3'

  export default function multerS3(options: { s3: S3Client; bucket: string }): object
}
