/** A Markdown table that reads as plain text too. The first `left` columns hold words, the others figures. */
export function textTable(head: string[], rows: string[][], left: number): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const lineOf = (cells: string[]) => {
    const padded = widths.map((width, column) => {
      const cell = cells[column] ?? ''
      return column < left ? cell.padEnd(width) : cell.padStart(width)
    })
    return `| ${padded.join(' | ')} |`
  }
  const rule = widths.map((width, column) => (column < left ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [head, rule, ...rows].map(lineOf).join('\n')
}
