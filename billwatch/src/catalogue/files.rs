//! All pages as Markdown files: `docs/catalogue`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use billwatch_market::fact::{BEHAVIOUR_CODES, Behaviour};

use super::{
    indicators,
    library::Library,
    page::{Body, Page},
    pages, patterns, reports,
};

/// How the pages are made again.
const COMMAND: &str = "billwatch catalogue write docs/catalogue";

/// Relative path and text of every page.
pub fn all(library: &Library) -> BTreeMap<PathBuf, String> {
    let catalogue = &library.catalogue;
    let mut files = BTreeMap::new();
    let mut index = Index::default();
    let mut add = |path: String, text: String| drop(files.insert(PathBuf::from(path), text));

    let behaviours: Vec<Page> =
        (0..BEHAVIOUR_CODES.len()).map(|at| pages::behaviour_page(library, Behaviour(at as u16))).collect();
    add("behaviours.md".into(), together("Behaviours 票据行为", &behaviours));
    index.part("Behaviours 票据行为", behaviours.iter().map(|page| (page, format!("behaviours.md#{}", anchor(page)))));

    let themes: Vec<Page> = catalogue.themes.iter().flat_map(|theme| pages::of_code(library, &theme.id)).collect();
    index
        .part("Themes and dimensions 主题与维度", themes.iter().map(|page| (page, format!("themes/{}.md", page.code))));
    for page in &themes {
        add(format!("themes/{}.md", page.code), page.markdown());
    }

    let rules: Vec<Page> = catalogue.patterns.iter().map(|row| patterns::page(library, row)).collect();
    index.part("Patterns 风险模式", rules.iter().map(|page| (page, format!("patterns/{}.md", page.code))));
    for page in &rules {
        add(format!("patterns/{}.md", page.code), page.markdown());
    }

    let ids: BTreeSet<&str> =
        catalogue.themes.iter().flat_map(|theme| &theme.dimensions).map(|dimension| &*dimension.id).collect();
    let dimensions: Vec<Page> = ids.into_iter().filter_map(|id| pages::dimension(library, id)).collect();
    add("dimensions.md".into(), together("Dimensions 维度", &dimensions));

    let indicators: Vec<Page> = catalogue.indicators.iter().map(|row| indicators::page(library, row)).collect();
    add("indicators.md".into(), together("Indicators 监管指标", &indicators));
    index.part("Indicators 监管指标", indicators.iter().map(|page| (page, format!("indicators.md#{}", anchor(page)))));
    let reports: Vec<Page> = catalogue.reports.iter().map(|row| reports::page(library, row)).collect();
    index.part("Reports 固定报表", reports.iter().map(|page| (page, format!("reports/{}.md", page.code))));
    for page in &reports {
        add(format!("reports/{}.md", page.code), page.markdown());
    }

    let features: Vec<Page> = library.features().map(|(name, form)| pages::feature(library, name, form)).collect();
    add("features.md".into(), together("Features 特征", &features));
    let enumerations: Vec<Page> = catalogue.enums.iter().map(|table| pages::enumeration(library, table)).collect();
    add("enumerations.md".into(), together("Enumerations 枚举", &enumerations));
    add("index.md".into(), index.text);
    files
}

/// Writes every page and removes pages that are no more; how many there are.
pub fn write(library: &Library, directory: &Path) -> anyhow::Result<usize> {
    let files = all(library);
    for known in on_disk(directory).with_context(|| directory.display().to_string())? {
        if !files.contains_key(&known) {
            fs::remove_file(directory.join(&known)).with_context(|| known.display().to_string())?;
        }
    }
    for (path, text) in &files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap_or(directory)).with_context(|| path.display().to_string())?;
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(files.len())
}

/// The Markdown files of a directory and the ones in it, as relative paths.
fn on_disk(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(inner) = open.pop() {
        let Ok(entries) = fs::read_dir(directory.join(&inner)) else { continue };
        for entry in entries {
            let entry = entry?;
            let path = inner.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|kind| kind == "md") {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Several pages as one, a heading lower.
fn together(title: &str, pages: &[Page]) -> String {
    let mut text = format!("# {title}\n");
    for page in pages {
        text.push('\n');
        for line in page.markdown().lines() {
            if line.starts_with('#') {
                text.push('#');
            }
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// The anchor that readers of Markdown give the heading of a page.
fn anchor(page: &Page) -> String {
    let heading = format!("{} {} {}", page.code, page.english, page.chinese);
    let kept = heading.trim().chars().filter(|sign| sign.is_alphanumeric() || matches!(sign, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

struct Index {
    text: String,
}

impl Default for Index {
    fn default() -> Self {
        let text = format!(
            "# The catalogue 目录\n\nMade from the tables in `market/catalogue` by `{COMMAND}`; do not edit. `billwatch catalogue \
             show CODE` prints any of it. Also: [dimensions 维度](dimensions.md), [enumerations 枚举](enumerations.md), \
             [features 特征](features.md).\n"
        );
        Index { text }
    }
}

impl Index {
    fn part<'a>(&mut self, title: &str, pages: impl Iterator<Item = (&'a Page, String)>) {
        let rows: Vec<Vec<String>> = pages
            .map(|(page, path)| vec![format!("[{}]({path})", page.code), page.english.clone(), page.chinese.clone()])
            .collect();
        let mut page = Page::new("index", "", "", "");
        let count = rows.len();
        page.add("", Body::table(&["code", "name", "名称"], rows));
        let table = page.markdown();
        let table = table.trim_start_matches(|sign| sign == '#' || char::is_whitespace(sign));
        // Writing to a String does not fail.
        let _ = write!(self.text, "\n## {title} ({count})\n\n{table}");
    }
}

#[cfg(test)]
mod tests {
    use billwatch_market::catalogue::Catalogue;

    use super::*;

    #[test]
    fn the_pages_say_what_the_tables_say() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/catalogue");
        let library = Library::new(Catalogue::embedded()).unwrap();
        if std::env::var_os("BILLWATCH_WRITE_DOCS").is_some() {
            write(&library, &directory).unwrap();
        }
        let files = all(&library);
        let kept = on_disk(&directory).unwrap();
        let is_stale =
            |(path, made): &(&PathBuf, &String)| fs::read_to_string(directory.join(path)).unwrap_or_default() != **made;
        let stale: Vec<&PathBuf> = files.iter().filter(is_stale).map(|(path, _)| path).collect();
        let of_nothing: Vec<&PathBuf> = kept.iter().filter(|path| !files.contains_key(*path)).collect();
        assert!(
            stale.is_empty() && of_nothing.is_empty(),
            "docs/catalogue is not what the tables say: run `{COMMAND}`, or this test with BILLWATCH_WRITE_DOCS=1. Stale: {stale:?}; \
             of nothing: {of_nothing:?}"
        );
    }

    #[test]
    fn everything_has_a_page() {
        let library = Library::new(Catalogue::embedded()).unwrap();
        let files = all(&library);
        let count = |directory: &str| files.keys().filter(|path| path.starts_with(directory)).count();
        let catalogue = &library.catalogue;
        assert_eq!(count("patterns"), catalogue.patterns.len());
        assert_eq!((count("themes"), count("reports")), (catalogue.themes.len(), catalogue.reports.len()));
        let behaviours = &files[Path::new("behaviours.md")];
        assert!(BEHAVIOUR_CODES.iter().all(|code| behaviours.contains(&format!("\n## {code} "))));
        // A rule that has a labelled case shows its alert.
        let silent: Vec<_> = files.iter().filter(|(_, text)| text.contains("no alert")).map(|(path, _)| path).collect();
        // P071 compares with the days before: it needs more than its own case.
        assert_eq!(silent, [Path::new("patterns/P071.md")], "examples without an alert");
        // Nothing else of the catalogue has the id of a pattern.
        let several = |text: &str| text.matches("```json").count() > 1;
        assert!(!files.iter().any(|(path, text)| path.starts_with("patterns") && several(text)));
        for row in &catalogue.reports {
            let page = &files[&PathBuf::from(format!("reports/{}.md", row.id))];
            for part in ["**basis**: source text", "## Figures 指标口径", "## Checks 勾稽关系", "## Example"] {
                assert!(page.contains(part), "{part} is missing in the page of {}", row.id);
            }
            assert!(!page.contains("```json"), "{} as it stands in the file", row.id);
        }
        let rediscount = &files[Path::new("reports/R06.md")];
        for part in [
            "RDC Rediscount 再贴现",
            "## Block main: By applicant 按申请机构",
            "| rate | 加权利率 | Weighted rate | percent 百分比 | `rdc.rate_weighted/rdc.rate_weight` |",
            "| C4 | 买断+回购=合计 | Outright + repo = total | `{main/TOTAL/outright,repo}` | = | `{main/TOTAL/total}` |",
            "Turnover is cash",
            "| purpose | RP01 Agriculture 涉农; ",
        ] {
            assert!(rediscount.contains(part), "{part} is missing in {rediscount}");
        }
        let indicators = &files[Path::new("indicators.md")];
        assert_eq!(indicators.matches("### Example").count(), catalogue.indicators.len());
        assert_eq!(indicators.matches("### Facts of the example").count(), catalogue.indicators.len());
        let dimensions = &files[Path::new("dimensions.md")];
        let ids = catalogue.themes.iter().flat_map(|theme| &theme.dimensions).map(|dimension| &dimension.id);
        let ids: BTreeSet<_> = ids.collect();
        assert_eq!(dimensions.matches("### Example").count(), ids.len());
        let page = &files[Path::new("patterns/P013.md")];
        for part in [
            "止付冻结票据继续流转",
            "## Definition",
            "\"any_effect\": true",
            "LSF.FRZ Judicial freeze",
            "**P013**: red",
        ] {
            assert!(page.contains(part), "{part} is missing in {page}");
        }
    }
}
