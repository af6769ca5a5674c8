// Bundles src/ into dist/: three flat files that the daemon embeds. The same sources and lock file
// give the same bytes, so the committed dist/ can be checked by building again.
import { build, transform } from 'esbuild';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';

const root = new URL('.', import.meta.url).pathname;
const out = root + 'dist/';
const kTotalBytesMax = 28672;

rmSync(out, { recursive: true, force: true });
mkdirSync(out);
await build({
  absWorkingDir: root,
  entryPoints: ['src/main.tsx'],
  outfile: 'dist/app.js',
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2021',
  charset: 'utf8',
  jsxFactory: 'h',
  jsxFragment: 'Fragment',
  legalComments: 'none',
  banner: { js: '/*! Preact, MIT License, (c) Jason Miller */' },
});
const css = await transform(readFileSync(root + 'src/page.css', 'utf8'), { loader: 'css', minify: true });
const short = new Map(); // the names of CSS variables, one letter each
const letter = (name) => short.get(name) ?? short.set(name, '--' + (10 + short.size).toString(36)).get(name);
writeFileSync(out + 'app.css', css.code.replace(/--[a-z]+/g, letter));
const html = readFileSync(root + 'src/index.html', 'utf8');
writeFileSync(out + 'index.html', html.replace(/>\s+/g, '>'));

let total = 0;
for (const name of readdirSync(out).sort()) {
  const { size } = statSync(out + name);
  total += size;
  console.log(`${String(size).padStart(6)}  ${name}`);
}
console.log(`${String(total).padStart(6)}  of ${kTotalBytesMax} allowed`);
if (total > kTotalBytesMax) process.exit(1);
