"""The look of the page: one column on a phone, two on a desktop, light and dark."""

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1c2024; --soft: #5d666f; --rule: #dfe3e7; --panel: #f5f7f9;
  --blank: #e4e8ec; --target: #0a8f5b; --good: #0a7a4d; --bad: #b3311b;
  --s0: #d1491b; --s1: #1668c1; --s2: #8a3fb3; --s3: #8a6d00; --s4: #00798a; --s5: #b0246b; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e7eaed; --soft: #9aa5b0; --rule: #2e353c;
  --panel: #1d2226;
  --blank: #2a3036; --target: #2fc48d; --s0: #ff8a5c; --s1: #6db3ff; --s2: #c890ea; --s3: #e0bf45; --s4: #4cc9d9;
  --s5: #f27bb3;  --good: #4fd1a1; --bad: #ff8f7a; } }
.s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); } .s4 { --c: var(--s4); }
.s5 { --c: var(--s5); } .target { --c: var(--target); }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto,
  'Liberation Sans', 'DejaVu Sans', sans-serif; overflow-wrap: anywhere; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 64px; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 52px 0 6px; padding-top: 18px; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 26px 0 4px; }
p { margin: 0 0 10px; max-width: 74ch; }
.meta, .about, .id, figcaption.about { color: var(--soft); font-size: 0.875rem; }
.lead { font-size: 1.125rem; margin: 18px 0 8px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 14px 0 0; font-size: 0.9375rem; }
a { color: var(--s1); text-underline-offset: 2px; }
.scroll { overflow-x: auto; margin: 10px 0 4px; }
td, th { overflow-wrap: break-word; } td { white-space: nowrap; } td.left { white-space: normal; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
table.narrow { width: auto; min-width: min(100%, 460px); }
th, td { padding: 7px 0 7px 18px; text-align: right; vertical-align: top; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; padding-left: 0; font-weight: 500; }
td.left, th.left { text-align: left; }
thead th { color: var(--soft); font-weight: 500; font-size: 0.875rem; vertical-align: bottom; line-height: 1.3; }
tr.group th { padding-top: 20px; font-weight: 650; color: var(--ink); text-align: left; font-size: 0.9375rem; }
td small { display: block; color: var(--soft); font-size: 0.78rem; line-height: 1.25; white-space: nowrap; }
td.better { color: var(--good); } td.worse { color: var(--bad); }
.few { color: var(--soft); }
.key { display: inline-block; width: 0.8em; height: 0.8em; border: 3px solid var(--c); border-radius: 2px; margin-right: 0.4em;
  vertical-align: -0.06em; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 20px; font-size: 0.875rem; margin: 8px 0; padding: 0; list-style: none; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 20px 32px;
  margin: 14px 0; } .figures h3 { margin-top: 8px; }
.figures figure { margin: 0; min-width: 0; }
svg.plot { width: 100%; height: auto; display: block; }
svg.plot text { fill: var(--soft); font-size: 13px; } svg.plot text.label { fill: var(--ink); }
.grid { stroke: var(--rule); } .half { stroke: var(--soft); stroke-dasharray: 4 4; }
.fill { fill: var(--c); } .line { fill: none; stroke: var(--c); stroke-width: 2.5; } .band { fill: var(--c); opacity: 0.18; }
svg.interval { width: 100%; min-width: 64px; height: 12px; display: block; margin-top: 3px; background: var(--panel); }
svg.interval line { vector-effect: non-scaling-stroke; }
.overall { stroke: var(--soft); stroke-width: 1; } .span { stroke: var(--c); stroke-width: 3; opacity: 0.55; }
.tick { stroke: var(--c); stroke-width: 3; }
.stack { display: flex; height: 26px; border-radius: 4px; overflow: hidden; margin: 4px 0 14px; }
.stack span { min-width: 0; } .o0 { background: #0a8f5b; } .o1 { background: #c23b22; } .o2 { background: #e58a3c; }
.o3 { background: #e58a3c; } .o4 { background: #d9b93b; } .o5 { background: #7b8794; } .o6 { background: #3f4852; }
.dot { display: inline-block; width: 0.8em; height: 0.8em; border-radius: 2px; margin-right: 0.5em; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 232px), 1fr)); gap: 18px; margin: 12px 0; }
.card { margin: 0; background: var(--panel); border-radius: 8px; overflow: hidden; min-width: 0; }
.card svg { width: 100%; height: 210px; display: block; background: var(--blank); }
.card .blank { fill: var(--paper); } .card .blocks { image-rendering: pixelated; }
.card figcaption { padding: 10px 12px 12px; } .card p { margin: 0 0 3px; font-size: 0.875rem; line-height: 1.4; }
.card p.words { font-size: 1rem; font-weight: 600; line-height: 1.3; margin-bottom: 6px; }
.card p.id { font-size: 0.76rem; margin: 6px 0 0; }
.rim, .box { fill: none; vector-effect: non-scaling-stroke; } .rim { stroke: #ffffff; stroke-width: 5; opacity: 0.75; }
.card .target { --c: #0a8f5b; } .card .box { stroke: var(--c); stroke-width: 2.5; }
.card .box:not(.target) { stroke-dasharray: 7 3; }
.card svg .s0 { --c: #d1491b; } .card svg .s1 { --c: #1668c1; } .card svg .s2 { --c: #8a3fb3; }
.note { border-left: 4px solid var(--s3); background: var(--panel); padding: 10px 14px; margin: 12px 0; max-width: none; }
code { font-size: 0.85em; }
dl { display: grid; grid-template-columns: minmax(90px, max-content) 1fr; gap: 6px 18px; font-size: 0.9375rem; }
dt { color: var(--soft); } dd { margin: 0; min-width: 0; }
@media (max-width: 600px) {
  .cards { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 10px; } .card svg { height: 160px; }
  .card p { font-size: 0.8125rem; } .card p.words { font-size: 0.9375rem; } .card figcaption { padding: 8px 9px 10px; }
  main { padding: 20px 16px 48px; } h1 { font-size: 1.45rem; } th, td { padding-left: 10px; }
  td, tbody th { font-size: 0.9375rem; } .wide { display: none; } .lead { font-size: 1.0625rem; } h2 { margin-top: 40px; } }
@media print { nav { display: none; } .card { break-inside: avoid; } }
"""
