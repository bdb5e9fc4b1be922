/**
 * For what can happen a thousand times a second: tells of the first, and then at most once an interval.
 * @param interval milliseconds
 * @returns calls `tell` when it is time, with how many went untold
 */
export function logAtMostOften(interval: number): (tell: (untold: number) => void) => void {
  let toldAt = Number.NEGATIVE_INFINITY
  let untold = 0
  return (tell) => {
    if (performance.now() - toldAt < interval) {
      untold += 1
      return
    }
    toldAt = performance.now()
    tell(untold)
    untold = 0
  }
}
