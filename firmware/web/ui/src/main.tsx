// Start: language, feed, and one rendering per frame at most.
import { feed, follow } from './feed';
import { remember } from './history';
import { page } from './page';
import { render } from 'preact';
import { words, type Language } from './words';

const kLanguageKey = 'language';

// Storage may be forbidden: then the choice lasts as long as the page.
function wanted() {
  try {
    return localStorage.getItem(kLanguageKey);
  } catch {}
}

let language: Language = /^zh/.test(wanted() ?? navigator.language) ? 'zh' : 'en';
let asked = false;

function draw() {
  asked = false;
  document.documentElement.lang = language == 'zh' ? 'zh-CN' : 'en';
  render(page(words(language), language, switch_language), document.body);
}

function redraw() {
  if (!asked) requestAnimationFrame(draw);
  asked = true;
}

function switch_language() {
  language = language == 'en' ? 'zh' : 'en';
  redraw();
  try {
    localStorage.setItem(kLanguageKey, language);
  } catch {}
}

follow(() => {
  remember(feed.status!);
  redraw();
}, redraw);
draw();
