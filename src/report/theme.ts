/** Colours and style of the report: one place, light and dark, readable in print and by colour-blind readers. */

/** Okabe–Ito's palette, which stays distinct under the common colour-vision deficiencies; grey for what comes after. */
const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c6d31', '#6b6ecf', '#637939', '#7f7f7f']

/** The colour of the i-th domain, the same in every plot. */
export function colourOf(domains: readonly string[], domain: string): string {
  const index = domains.indexOf(domain)
  return palette[index < 0 ? palette.length - 1 : index % palette.length]!
}

export const css = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6676; --line: #dde3ea; --page: #fbfcfd; --card: #ffffff; --accent: #0b63ce;
  --good: 0, 130, 95; --bad: 200, 70, 10; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf2; --soft: #98a4b5; --line: #2b3442; --page: #10151c; --card: #171e27; --accent: #6db3ff;
  --good: 60, 190, 145; --bad: 240, 130, 70; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, "Segoe UI", "Noto Sans", "Noto Sans Devanagari", "Noto Sans CJK JP", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 80px }
header { border-bottom: 1px solid var(--line); margin-bottom: 28px; padding-bottom: 20px }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -.02em }
h2 { font-size: 20px; margin: 44px 0 4px; letter-spacing: -.01em }
h3 { font-size: 15px; margin: 18px 0 4px }
p { margin: 4px 0 12px; max-width: 76ch } .lead { color: var(--soft) } .note { color: var(--soft); font-size: 13px }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 14px; margin: 22px 0 8px }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px }
.card b { display: block; font-size: 26px; font-weight: 650; letter-spacing: -.02em; font-variant-numeric: tabular-nums }
.card span { color: var(--soft); font-size: 13px } .card .delta { font-size: 13px; font-weight: 600 }
.good { color: rgb(var(--good)) } .bad { color: rgb(var(--bad)) }
figure { margin: 14px 0; background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px 10px; overflow-x: auto }
figure svg { max-width: 100%; height: auto; display: block } figcaption { color: var(--soft); font-size: 13px; margin-top: 6px }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(430px, 1fr)); gap: 0 16px }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; color: var(--soft); margin-bottom: 6px }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; vertical-align: -1px }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px } .scroll { overflow-x: auto }
th, td { text-align: right; padding: 7px 10px; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child { text-align: left } thead th { color: var(--soft); font-weight: 600; font-size: 13px }
td small { color: var(--soft) } table.facts td { white-space: normal; text-align: left } table.facts td:first-child { color: var(--soft); width: 220px }
details { margin: 10px 0 } summary { cursor: pointer; color: var(--accent) }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; overflow-x: auto; font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; white-space: pre-wrap }
.sample { border-left: 3px solid var(--line); padding: 2px 0 2px 14px; margin: 14px 0 } .sample pre { margin: 4px 0 }
.tag { font-size: 12px; color: var(--soft) }
@media print { body { background: #fff } figure, .card { break-inside: avoid } }
`
