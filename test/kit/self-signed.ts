import { execFileSync } from 'node:child_process'
import { skipWithout } from './programs.ts'

/** For the `skip` option of tests that need a certificate. */
export const skipWithoutOpenSsl: string | false = skipWithout('OpenSSL', ['openssl', 'version'])

/** A key and a certificate that it has signed itself, as PEM. @param name the subject's alternative name */
export function selfSigned(name = 'IP:127.0.0.1'): { key: string; cert: string } {
  const wish = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  const subject = ['-subj', `/CN=${name.replace(/^.*?:/, '')}`, '-addext', `subjectAltName=${name}`]
  const pem = execFileSync('openssl', [...wish, ...subject, '-keyout', '-', '-out', '-'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const at = pem.indexOf('-----BEGIN CERTIFICATE')
  return { key: pem.slice(0, at), cert: pem.slice(at) }
}
