/** multer with multer-s3 and its defaults: no hash. */
import { promisify } from 'node:util'
import { S3Client } from '@aws-sdk/client-s3'
import multer from 'multer'
import multerS3 from 'multer-s3'
import { answer } from './answer.ts'
import { bucket, connection } from './s3.ts'

const storage = multerS3({ s3: new S3Client(connection), bucket })
const receive = promisify(multer({ storage }).single('files'))

answer(async (request, response) => {
  await receive(request, response)
  return {}
})
