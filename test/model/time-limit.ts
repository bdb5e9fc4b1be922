/**
 * How long runs may take. When it is over, none fails any more, as nothing is done: so what has failed before is shrunk no
 * further, and no run is left half-way.
 */
export class TimeLimit {
  #end: number
  #isRestarted = false

  constructor(seconds: number) {
    this.#end = performance.now() + seconds * 1000
  }

  get isOver(): boolean {
    return performance.now() > this.#end
  }

  /** Counts anew, the first time it is asked to: what has failed gets time to be shrunk. */
  startOnce(seconds: number): void {
    if (this.#isRestarted) return
    this.#isRestarted = true
    this.#end = performance.now() + seconds * 1000
  }
}
