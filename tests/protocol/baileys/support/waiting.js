// Waiting for something, never longer than a deadline.

/** Nothing in these tests may take longer. Node's own limit on a test is above it, so that a failure says what was missing. */
export const DEADLINE_MS = 20_000

/** What happened, in order; each thing is taken once. */
export class Log {
  #entries = []
  #waiting = new Set()

  add(kind, value) {
    this.#entries.push({ kind, value })
    for (const look of [...this.#waiting]) look()
  }

  /** Takes the first entry of this kind, seen before or not, from which `pick` makes something. */
  take(kind, pick = (value) => value, what = kind) {
    return new Promise((resolve, reject) => {
      const look = () => {
        for (const [index, entry] of this.#entries.entries()) {
          const found = entry.kind === kind ? pick(entry.value) : undefined
          if (found !== undefined && found !== false) {
            this.#entries.splice(index, 1)
            end()
            return resolve(found)
          }
        }
      }
      const timer = setTimeout(() => {
        end()
        reject(new Error(`no ${what}; seen: ${this.#entries.map((entry) => entry.kind).join(', ')}`))
      }, DEADLINE_MS)
      const end = () => {
        clearTimeout(timer)
        this.#waiting.delete(look)
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** Entries of this kind that nobody has taken. */
  left(kind) {
    return this.#entries.filter((entry) => entry.kind === kind).map((entry) => entry.value)
  }
}

/** Asks again until there is an answer: for what no event tells. */
export async function until(what, ask) {
  const end = Date.now() + DEADLINE_MS
  for (;;) {
    const found = await ask()
    if (found) return found
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
