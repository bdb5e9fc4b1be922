import { Sha256Node } from '@smithy/core/checksum'
import { HttpRequest } from '@smithy/core/protocols'
import { SignatureV4 } from '@smithy/signature-v4'
import type { AwsCredentialIdentityProvider, HttpRequest as SignedRequest } from '@smithy/types'

/** The hash of no bytes, which requests without a body carry. */
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** The parts of a request that are signed. */
export interface Signable {
  method: string
  /** With the port, where it is not the default one. */
  host: string
  /** Percent-encoded. */
  path: string
  /** Not encoded. */
  query: Record<string, string>
  /** In lower case. */
  headers: Record<string, string>
}

/**
 * Signs requests with AWS Signature Version 4.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export class Signer {
  readonly #provide: AwsCredentialIdentityProvider
  readonly #signature: SignatureV4
  /** Milliseconds by which the store's clock is ahead of ours. */
  #clockOffset = 0

  /** @param provide the credentials; caches them, and renews them before they expire */
  constructor(provide: AwsCredentialIdentityProvider, region: string) {
    this.#provide = provide
    this.#signature = new SignatureV4({
      ...{ service: 's3', region, credentials: () => this.#provide() },
      ...{ sha256: Sha256Node, uriEscapePath: false, applyChecksum: false },
    })
  }

  /**
   * The headers of a request with those of its signature.
   * @param now milliseconds since 1970, by our clock
   * @throws the error of the provider of the credentials
   */
  async sign({ method, host, path, query, headers }: Signable, now = Date.now()): Promise<SignedRequest['headers']> {
    const signable = new HttpRequest({
      ...{ method, path, query },
      headers: { 'x-amz-content-sha256': emptyHash, ...headers, host },
    })
    const signed = await this.#signature.sign(signable, { signingDate: new Date(now + this.#clockOffset) })
    return signed.headers
  }

  /** Signs further requests with the time of the store's clock. @param storeTime milliseconds since 1970 */
  followClock(storeTime: number): void {
    this.#clockOffset = storeTime - Date.now()
  }

  /** Asks for new credentials, also when those in use have not expired by our clock. */
  async renewCredentials(): Promise<void> {
    await this.#provide({ forceRefresh: true })
  }
}
