//! Pictures of the results: bars, as SVG. The colours suit light and dark pages.

use std::fmt::{Result, Write as _};

use super::{
    contenders::Group,
    figures::{Comparison, Run, Series},
};

/// A picture and where it belongs.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) group: Group,
    pub(super) title: String,
    /// Its name in the folder of pictures.
    pub(super) file: String,
    pub(super) svg: String,
}

/// Bars that share a scale.
struct Block {
    heading: String,
    bars: Vec<Bar>,
}

/// A bar: its parts follow each other from left to right.
struct Bar {
    label: String,
    parts: Vec<f64>,
}

const WIDTH: f64 = 760.0;
const LEFT: f64 = 190.0;
/// What is kept free behind the longest bar, for its figure.
const RIGHT: f64 = 80.0;
const LINE: f64 = 22.0;
const BAR: f64 = 14.0;
const TOP: f64 = 34.0;

/// Colours of the parts, and of the text: first for light pages, then for dark ones.
const STYLE: &str = "<style>text{font:13px sans-serif;fill:#333}.title{font-size:15px;\
     font-weight:bold}.heading{font-weight:bold}.part0{fill:#4269a5}.part1{fill:#c07f30}\
     .part2{fill:#8a8f98}@media(prefers-color-scheme:dark){text{fill:#ccc}.part0{fill:#7b9fd6}\
     .part1{fill:#d9a15c}.part2{fill:#9aa0a8}}</style>";

/// For each group: tasks a second, and the processor time of a task.
pub(super) fn pictures(
    comparisons: &[Comparison],
) -> std::result::Result<Vec<Picture>, std::fmt::Error> {
    let mut pictures = Vec::new();
    for group in Group::ALL {
        let among: Vec<_> = comparisons.iter().filter(|one| one.group == group).collect();
        if among.is_empty() {
            continue;
        }
        let rates = blocks(&among, |series| Some(vec![series.spread(Run::rate)?.median]));
        let title = format!("{}: tasks a second", group.title());
        let file = format!("{}-tasks.svg", group.name());
        pictures.push(Picture { group, svg: draw(&title, &[], &rates)?, title, file });
        let times = blocks(&among, |series| {
            Some(vec![
                series.spread(Run::server_us)?.median,
                series.spread(Run::database_us)?.median,
                series.spread(Run::client_us)?.median,
            ])
        });
        let title = format!("{}: processor time of a task, µs", group.title());
        let file = format!("{}-processor.svg", group.name());
        let legend = ["server", "database", "client"];
        pictures.push(Picture { group, svg: draw(&title, &legend, &times)?, title, file });
    }
    Ok(pictures)
}

/// A block for each number of agents, without what was not measured.
fn blocks(among: &[&Comparison], parts: impl Fn(&Series) -> Option<Vec<f64>>) -> Vec<Block> {
    let block = |comparison: &&Comparison| {
        let plural = if comparison.agents == 1 { "" } else { "s" };
        let bar = |series: &Series| Some(Bar { label: series.name.clone(), parts: parts(series)? });
        Block {
            heading: format!("{} agent{plural}", comparison.agents),
            bars: comparison.series.iter().filter_map(bar).collect(),
        }
    };
    among.iter().map(block).collect()
}

fn draw(
    title: &str,
    legend: &[&str],
    blocks: &[Block],
) -> std::result::Result<String, std::fmt::Error> {
    let mut body = String::new();
    let mut y = TOP;
    if !legend.is_empty() {
        for (part, name) in legend.iter().enumerate() {
            let x = LEFT + 110.0 * f64::from(u8::try_from(part).unwrap_or(u8::MAX));
            rectangle(&mut body, (x, y), BAR, part)?;
            words(&mut body, (x + BAR + 6.0, y), "", "start", name)?;
        }
        y += LINE;
    }
    for block in blocks {
        y += LINE / 2.0;
        words(&mut body, (8.0, y), "heading", "start", &block.heading)?;
        y += LINE;
        let sum = |bar: &Bar| bar.parts.iter().sum::<f64>();
        let longest = block.bars.iter().map(sum).fold(f64::MIN_POSITIVE, f64::max);
        for bar in &block.bars {
            words(&mut body, (LEFT - 8.0, y), "", "end", &bar.label)?;
            let mut x = LEFT;
            for (part, figure) in bar.parts.iter().enumerate() {
                let width = figure / longest * (WIDTH - LEFT - RIGHT);
                rectangle(&mut body, (x, y), width, part)?;
                x += width;
            }
            words(&mut body, (x + 6.0, y), "", "start", &format!("{:.0}", sum(bar)))?;
            y += LINE;
        }
    }
    let height = y + LINE / 2.0;
    let name = escaped(title);
    let mut svg = String::new();
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" \
         width=\"{WIDTH:.0}\" height=\"{height:.0}\" role=\"img\">\n<title>{name}</title>\n{STYLE}"
    )?;
    words(&mut svg, (8.0, 8.0), "title", "start", title)?;
    svg.push_str(&body);
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn rectangle(svg: &mut String, (x, y): (f64, f64), width: f64, part: usize) -> Result {
    writeln!(
        svg,
        "<rect class=\"part{part}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\"/>"
    )
}

/// Text on the line of a bar whose upper edge is at `y`.
fn words(svg: &mut String, (x, y): (f64, f64), class: &str, anchor: &str, text: &str) -> Result {
    writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
        y + 11.5,
        escaped(text)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{
        super::figures::tests::{comparison, series},
        *,
    };

    /// The elements that are open at the end of a text, or the error.
    fn open(svg: &str) -> std::result::Result<Vec<String>, String> {
        let mut open: Vec<String> = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, _) = tag.split_once('>').ok_or_else(|| format!("no end of {tag}"))?;
            if let Some(name) = tag.strip_prefix('/') {
                let last = open.pop();
                if last.as_deref() != Some(name) {
                    return Err(format!("{name} ends {last:?}"));
                }
            } else if !tag.ends_with('/') {
                open.push(tag.split(' ').next().unwrap_or_default().to_owned());
            }
            if tag.matches('"').count() % 2 != 0 {
                return Err(format!("an open quote in {tag}"));
            }
        }
        Ok(open)
    }

    #[test]
    fn pictures_are_well_formed_whatever_a_queue_is_called() {
        let all = [comparison(vec![series("a<b> & \"c\"", &[Some(10)]), series("d", &[Some(5)])])];
        let pictures = pictures(&all).unwrap();
        let files: Vec<_> = pictures.iter().map(|picture| picture.file.as_str()).collect();
        assert_eq!(files, ["embedded-tasks.svg", "embedded-processor.svg"]);
        for picture in pictures {
            assert_eq!(open(&picture.svg), Ok(Vec::new()), "{}", picture.svg);
            assert!(picture.svg.contains("a&lt;b&gt; &amp; &quot;c&quot;"));
        }
    }

    #[test]
    fn the_longest_bar_fills_the_space_and_others_are_in_proportion() {
        let both = comparison(vec![series("a", &[Some(10)]), series("b", &[Some(5)])]);
        let svg = pictures(&[both]).unwrap().remove(0).svg;
        assert!(svg.contains("width=\"490.0\"") && svg.contains("width=\"245.0\""), "{svg}");
    }

    #[test]
    fn a_queue_that_was_not_measured_has_no_bar() {
        let both = comparison(vec![series("a", &[Some(10)]), series("b", &[None])]);
        let svg = pictures(&[both]).unwrap().remove(0).svg;
        assert_eq!(svg.matches("<rect").count(), 1);
    }
}
