import { openDiskStore } from '#store/disk/disk-store.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { openS3Store, type S3StoreOptions } from '#store/s3/s3-store.ts'

/** The address of a store, as a JSON value. */
export type StorePlace = { directory: string } | { s3: S3StoreOptions }

/** Opens a store that another one has opened before, in this process or in another. */
export async function openPlace(place: StorePlace): Promise<ObjectStore> {
  return 'directory' in place ? await openDiskStore(place.directory) : openS3Store(place.s3)
}
