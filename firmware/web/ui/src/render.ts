// The page as a tree of plain values, and the document made equal to it: only what differs is
// touched. A tag stands for one place among its neighbours; there are no components and no keys.
export type Child = Wanted | string | number | boolean | null | undefined | Child[];
export interface Wanted {
  tag: string;
  attributes: Record<string, any>;
  children: Child[];
}

declare global {
  namespace JSX {
    type Element = Wanted;
    interface IntrinsicElements {
      [tag: string]: any;
    }
  }
}

const kSvg = 'http://www.w3.org/2000/svg';

export const h = (tag: string, attributes: Record<string, any> | null, ...children: Child[]): Wanted => ({
  tag,
  attributes: attributes ?? {},
  children,
});

const is_shown = (child: any) => child != null && child !== '' && typeof child != 'boolean';

function dress(element: any, wanted: Record<string, any>) {
  for (const { name } of [...element.attributes]) if (!(name in wanted)) element.removeAttribute(name);
  for (const name in wanted) {
    const value = wanted[name];
    if (name.startsWith('on')) element[name] = value;
    else if (element.getAttribute(name) != value) element.setAttribute(name, value);
  }
}

export function render(children: Child[], parent: Element) {
  const wanted = (children as any[]).flat(9).filter(is_shown);
  wanted.forEach((child, i) => {
    let here: any = parent.childNodes[i];
    const put = (made: Node) => {
      if (here) here.replaceWith(made);
      else parent.append(made);
      here = made;
    };
    if (child.tag) {
      if (here?.localName != child.tag)
        put(document.createElementNS(child.tag == 'svg' ? kSvg : parent.namespaceURI, child.tag));
      dress(here, child.attributes);
      render(child.children, here);
    } else if (here?.nodeType != 3) put(new Text(child));
    else if (here.data != child) here.data = child;
  });
  while (parent.childNodes.length > wanted.length) parent.lastChild!.remove();
}
