/// The one style sheet, in every document that is made here: nothing is loaded.
///
/// Text keeps a contrast of 4.5 to 1 and more in both schemes; colours that say something stand beside a word or a sign
/// that says the same.
enum StyleSheet {
  static let text: StaticString = """
    :root{color-scheme:light dark;--bg:#fafaf8;--panel:#fff;--ink:#1b1e22;--soft:#565d66;--line:#dfe1e4;--accent:#1f4f9c;\
    --series:#2f66b8;--fill:#2f66b822;--good:#19663a;--bad:#a8201a;--warn:#7a4d00}
    @media (prefers-color-scheme:dark){:root{--bg:#121417;--panel:#1a1d21;--ink:#e7e9ec;--soft:#a2aab4;--line:#31363d;\
    --accent:#8fb8f6;--series:#7fabf0;--fill:#7fabf026;--good:#74cf9b;--bad:#ff948c;--warn:#efbf55}}
    *{box-sizing:border-box}
    html{-webkit-text-size-adjust:100%}
    body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,\
    "Helvetica Neue",sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
    table{overflow-wrap:break-word}
    a{color:var(--accent);text-underline-offset:.15em}
    a:hover{text-decoration-thickness:2px}
    :focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:3px}
    .skip{position:absolute;left:-999rem}
    .skip:focus{left:1rem;top:.5rem;background:var(--panel);padding:.5rem 1rem;z-index:1}
    .bar{border-bottom:1px solid var(--line);background:var(--panel)}
    .wrap{max-width:76rem;margin:0 auto;padding:0 1rem}
    .bar .wrap{display:flex;flex-wrap:wrap;align-items:baseline;gap:.25rem 1.5rem;padding-top:.75rem;padding-bottom:.75rem}
    .name{font-weight:650;letter-spacing:-.01em}
    .name span{color:var(--soft);font-weight:400}
    nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:0;padding:0}
    nav a{color:var(--soft);text-decoration:none;padding:.15rem 0;display:inline-block}
    nav a:hover{color:var(--ink)}
    nav a[aria-current]{color:var(--ink);box-shadow:0 2px 0 var(--accent)}
    main.wrap{padding-top:1.75rem;padding-bottom:3rem}
    h1{font-size:1.5rem;line-height:1.25;letter-spacing:-.015em;margin:0 0 .25rem;font-weight:650}
    h2{font-size:1.0625rem;line-height:1.3;margin:0 0 .25rem;font-weight:650}
    h3{font-size:1rem;margin:1rem 0 .25rem;font-weight:600}
    p{margin:.25rem 0 .75rem;max-width:70ch}
    .soft{color:var(--soft)}
    .small{font-size:.875rem}
    .mono,code,pre{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.875em}
    section{margin:1.75rem 0 0}
    .panel{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:1rem;margin:0;min-width:0}
    .grid{display:grid;gap:1rem;margin-top:1rem}
    .grid>*{min-width:0}
    .grid.one{margin:0;align-content:start}
    @media (min-width:60rem){.grid.two{grid-template-columns:1fr 1fr}.grid.wide{grid-template-columns:3fr 2fr}}
    .layers{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));list-style:none;padding:0;margin:1rem 0 0}
    .layers li{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:.75rem 1rem;min-width:0}
    .layers h3{margin:0;display:flex;justify-content:space-between;gap:1rem}
    .layers p{margin:.25rem 0 0;font-size:.875rem;color:var(--soft)}
    .state{font-weight:600;white-space:nowrap}
    .ok,.profitable,.up{color:var(--good)}
    .down,.loss,.fell,.error{color:var(--bad)}
    .degraded,.warning{color:var(--warn)}
    .facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:1rem;margin:1rem 0 0}
    .facts div{border-top:2px solid var(--line);padding-top:.4rem}
    .facts dt{color:var(--soft);font-size:.875rem}
    .facts dd{margin:0;font-size:1.375rem;font-weight:600;letter-spacing:-.02em}
    .notice{border:1px solid var(--line);border-left:4px solid var(--warn);background:var(--panel);border-radius:4px;\
    padding:.75rem 1rem;margin:1rem 0 0}
    .verdict{font-weight:600;color:var(--good);margin:.5rem 0}
    .verdict.bad{color:var(--bad)}
    .notice p{margin:0}
    .notice p+p{margin-top:.35rem}
    .empty{color:var(--soft);margin:.5rem 0 0}
    .scroll{overflow-x:auto;margin:.5rem 0 0}
    table{border-collapse:collapse;width:100%;font-size:.9375rem}
    caption{text-align:left;color:var(--soft);font-size:.875rem;padding-bottom:.25rem}
    th,td{text-align:left;padding:.4rem .75rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top}
    th:last-child,td:last-child{padding-right:0}
    th{font-weight:500;color:var(--soft);font-size:.875rem;white-space:nowrap}
    tbody tr:last-child td{border-bottom:0}
    .n{text-align:right;white-space:nowrap}
    .t{white-space:nowrap}
    .long{min-width:14rem;overflow-wrap:anywhere}
    details{margin-top:.5rem;font-size:.875rem}
    summary{cursor:pointer;color:var(--soft);width:fit-content}
    figure{margin:0}
    figcaption p{margin:0 0 .5rem;color:var(--soft);font-size:.875rem}
    .plot{display:grid;grid-template-columns:auto minmax(0,1fr);gap:0 .5rem;margin-top:1rem}
    .plot svg{display:block;width:100%;height:12rem;grid-column:2;overflow:visible}
    .ys{display:flex;flex-direction:column;justify-content:space-between;text-align:right;margin:-.55em 0;grid-column:1;grid-row:1}
    .xs{display:flex;justify-content:space-between;gap:.5rem;grid-column:2;padding-top:.35rem}
    .ys,.xs{font-size:.8125rem;line-height:1.1;color:var(--soft)}
    .rule{stroke:var(--line);stroke-width:1;vector-effect:non-scaling-stroke}
    .zero{stroke:var(--soft);stroke-width:1;vector-effect:non-scaling-stroke}
    .curve{fill:none;stroke:var(--series);stroke-width:2;stroke-linejoin:round;vector-effect:non-scaling-stroke}
    .area{fill:var(--fill);stroke:none}
    .column{fill:var(--series)}
    .mark{fill:none;stroke-width:7;stroke-linecap:round;vector-effect:non-scaling-stroke;opacity:.65}
    .mark.gain{stroke:var(--series)}.mark.cost{stroke:var(--bad)}
    .meter{width:5rem;margin-left:.25rem;height:.625rem;display:inline-block;vertical-align:middle}
    .meter .track{fill:var(--line)}
    form{display:grid;gap:.75rem 1rem;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));align-items:end;margin:1rem 0 0}
    form .find{grid-column:1/-1}
    @media (min-width:40rem){form .find{grid-column:span 2}}
    label{display:block;font-size:.875rem;color:var(--soft);margin-bottom:.2rem}
    input,select,button{font:inherit;color:inherit;width:100%;min-height:2.5rem;padding:.35rem .6rem;border:1px solid var(--soft);\
    border-radius:6px;background:var(--bg)}
    button{background:var(--accent);border-color:var(--accent);color:var(--panel);font-weight:600;cursor:pointer}
    .pages{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;margin:1rem 0 0}
    .fields{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.35rem 1.25rem;margin:1rem 0 0}
    .fields dt{color:var(--soft)}.fields dd{margin:0}
    @media (max-width:40rem){.fields{grid-template-columns:1fr;gap:0}.fields dd{margin-bottom:.6rem}}
    .prose{white-space:pre-wrap;max-width:75ch;margin:.25rem 0 0}
    pre{white-space:pre-wrap;background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:.75rem;margin:.5rem 0 0}
    footer.wrap{color:var(--soft);font-size:.875rem;padding-top:1rem;padding-bottom:2rem}
    footer.wrap::before{content:"";display:block;border-top:1px solid var(--line);margin-bottom:1rem}
    @media (max-width:44rem){
    .meter{display:none}
    table.stack,.stack tbody,.stack tr,.stack td{display:block;width:auto}
    .stack thead{position:absolute;left:-999rem}
    .stack tr{border-bottom:1px solid var(--line);padding:.6rem 0}
    .stack td{border:0;overflow-wrap:anywhere;padding:.1rem 0;display:grid;grid-template-columns:7.5rem minmax(0,1fr);gap:.75rem;text-align:left;white-space:normal}
    .stack td::before{content:attr(data-label);color:var(--soft);font-size:.875rem}
    .stack .long{min-width:0}}
    @media (prefers-reduced-motion:no-preference){a,button{transition:color .1s,background-color .1s}}
    @media print{.bar nav,.skip,form,.pages{display:none}.panel,.layers li{break-inside:avoid}}
    """
}
