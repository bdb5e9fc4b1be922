/** The process that sends the requests: each message to it is a load, its answer how that went. */
import type { Load } from './load.ts'
import { runLoad } from './run-load.ts'

process.on('message', async (load: Load) => {
  try {
    process.send?.(await runLoad(load))
  } catch (error) {
    process.send?.({ failed: (error as Error).message })
  }
})
process.once('disconnect', () => process.exit())
