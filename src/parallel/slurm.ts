/** Slurm's short forms: host lists ("nid[001-003,007],login1") and tasks a node ("8(x31),4"). */

/** The first host of a host list, or undefined when the text is none. */
export function firstHost(list: string): string | undefined {
  const match = /^([\w.-]*)(?:\[([^\]]*)\]([\w.-]*))?(?=,|$)/.exec(list.trim())
  if (!match) return undefined
  const [, before, ranges, after = ''] = match
  if (ranges === undefined) return before || undefined
  const number = /^\d+(?=$|,|-\d)/.exec(ranges)?.[0]
  return number === undefined ? undefined : `${before}${number}${after}`
}

/** How many tasks the node of that index has, or undefined when the text does not say. */
export function tasksOfNode(list: string, node: number): number | undefined {
  let nodes = 0
  for (const part of list.split(',')) {
    const match = /^(\d+)(?:\(x(\d+)\))?$/.exec(part.trim())
    if (!match) return undefined
    nodes += Number(match[2] ?? 1)
    if (node < nodes) return Number(match[1])
  }
  return undefined
}
