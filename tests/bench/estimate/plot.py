"""A run as a picture: what was true, what the box believed, what the last scrape said."""

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 1000, 360, 46, 34, 30
STYLES = {"truth": ("#222", 2.2, ""), "the box": ("#0a7d4f", 1.6, ""),
          "last scrape": ("#c8641e", 1.1, ""), "own count": ("#5a6fc0", 1.1, "4 3")}


def path(points, x, y):
    """Steps: a value holds until the next sample."""
    parts = [f"M{x(points[0][0]):.1f} {y(points[0][1]):.1f}"]
    for at, value in points[1:]:
        parts.append(f"H{x(at):.1f}V{y(value):.1f}")
    return "".join(parts)


def svg(samples):
    begin, end = samples[0].at, samples[-1].at
    lines = {"truth": [(s.at, s.present) for s in samples]}
    for method in list(STYLES)[1:]:
        lines[method] = [(s.at, s.methods[method][0]) for s in samples]
    most = max(value for points in lines.values() for _, value in points) * 1.05

    def x(at):
        return LEFT + (WIDTH - LEFT - 10) * (at - begin) / (end - begin)

    def y(value):
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / most)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    band = [f"{x(s.at):.1f},{y(min(most, s.present + max(2, 0.2 * s.present))):.1f}"
            for s in samples]
    band += [f"{x(s.at):.1f},{y(max(0, s.present - max(2, 0.2 * s.present))):.1f}"
             for s in reversed(samples)]
    parts.append(f'<polygon points="{" ".join(band)}" fill="#222" opacity=".09"/>')
    step = 10 if most < 120 else 50
    for value in range(0, int(most) + 1, step):
        parts.append(f'<path d="M{LEFT} {y(value):.1f}H{WIDTH - 10}" stroke="#ddd"/>'
                     f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value}</text>')
    for second in range(0, int(end - begin) + 1, 5):
        parts.append(f'<text x="{x(begin + second):.1f}" y="{HEIGHT - 14}" '
                     f'text-anchor="middle">{second} s</text>')
    for place, (name, points) in enumerate(lines.items()):
        color, width, dash = STYLES[name]
        parts.append(f'<path d="{path(points, x, y)}" fill="none" stroke="{color}" '
                     f'stroke-width="{width}" stroke-dasharray="{dash}"/>'
                     f'<text x="{LEFT + 10 + 150 * place}" y="18" fill="{color}">{name}</text>')
    parts.append(f'<text x="{WIDTH - 12}" y="18" text-anchor="end" fill="#666">'
                 'running + waiting; grey: max(2, 20 %) of the truth</text></svg>')
    return "\n".join(parts) + "\n"
