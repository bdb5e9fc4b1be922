import type { SeededRandom } from '../../kit/seeded-random.ts'

/** One of several, each as often as its share in a hundred says. */
export function chooseByShare<T extends { share: number }>(random: SeededRandom, choices: readonly T[]): T {
  let left = random.between(1, 100)
  for (const choice of choices) {
    left -= choice.share
    if (left <= 0) return choice
  }
  throw new Error('The shares do not add up to a hundred')
}
