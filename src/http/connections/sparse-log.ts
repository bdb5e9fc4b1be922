/**
 * Thins out log lines about events that can come a thousand times a second: the first event is logged, and later ones at most
 * once an interval.
 * @param interval milliseconds
 * @returns calls `tell` when a line is due, with the number of events since the line before
 */
export function throttleLog(interval: number): (tell: (untold: number) => void) => void {
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
