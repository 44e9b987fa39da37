//! The least of the XLSX form (ECMA-376) that a printed report needs: sheets of text and numbers with a few styles, merged
//! cells, widths, frozen and repeated head rows, page set-up.
//!
//! A workbook is a ZIP archive of XML parts; the parts are stored, not compressed. Written here because the crates that write
//! this form bring build features along that would compile the storage engine anew, for two hundred lines.

use std::fmt::Write as _;

/// How a cell looks; the number is its place in the style table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Name of the report.
    Title,
    /// Lines under it, and notes.
    Line,
    /// Head of a column.
    Head,
    /// Name of a row.
    Name,
    /// The same of a total.
    NameTotal,
    /// Text that may take several lines.
    Text,
    /// A number with 0, 2 or 4 decimals; of a total.
    Number(u32, bool),
}

impl Style {
    fn place(self) -> usize {
        match self {
            Style::Title => 1,
            Style::Line => 2,
            Style::Head => 3,
            Style::Name => 4,
            Style::NameTotal => 5,
            Style::Text => 6,
            Style::Number(decimals, total) => {
                let form = match decimals {
                    0 => 0,
                    1 | 2 => 1,
                    _ => 2,
                };
                7 + 2 * form + usize::from(total)
            }
        }
    }
}

const NUMBER_FORMS: [&str; 3] = ["#,##0", "#,##0.00", "#,##0.0000"];

/// A cell.
enum Content {
    Text(String),
    /// As written: a decimal number.
    Number(String),
}

/// A sheet under way. Rows and columns count from 0.
pub struct Sheet {
    name: String,
    cells: std::collections::BTreeMap<(u32, u16), (Content, Style)>,
    merged: Vec<((u32, u16), (u32, u16))>,
    /// Widths of columns, in characters.
    pub widths: Vec<f64>,
    /// Heights of rows, in points.
    pub heights: Vec<(u32, f64)>,
    /// Rows of the head: frozen, and repeated on every page.
    pub head_rows: u32,
    /// Columns of names: frozen.
    pub frozen_columns: u16,
    /// Paper: 9 = A4, 8 = A3.
    pub paper: u8,
    /// Foot of the page: left, right.
    pub foot: (String, String),
}

impl Sheet {
    /// An empty sheet.
    pub fn new(name: String) -> Self {
        Sheet {
            name,
            cells: std::collections::BTreeMap::new(),
            merged: Vec::new(),
            widths: Vec::new(),
            heights: Vec::new(),
            head_rows: 0,
            frozen_columns: 1,
            paper: 9,
            foot: (String::new(), String::new()),
        }
    }

    /// Writes text.
    pub fn text(&mut self, row: u32, column: u16, text: &str, style: Style) {
        self.cells.insert((row, column), (Content::Text(text.to_owned()), style));
    }

    /// Writes what is printed: as a number where it is one.
    pub fn printed(&mut self, row: u32, column: u16, printed: &str, style: Style) {
        let is_number = printed.parse::<f64>().is_ok_and(f64::is_finite);
        let content = if is_number { Content::Number(printed.to_owned()) } else { Content::Text(printed.to_owned()) };
        self.cells.insert((row, column), (content, style));
    }

    /// Writes text over several cells.
    pub fn span(&mut self, from: (u32, u16), to: (u32, u16), text: &str, style: Style) {
        for row in from.0..=to.0 {
            for column in from.1..=to.1 {
                self.text(row, column, "", style);
            }
        }
        self.text(from.0, from.1, text, style);
        if from != to {
            self.merged.push((from, to));
        }
    }

    fn xml(&self) -> String {
        let mut xml = String::from(HEADER);
        xml.push_str("<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">");
        xml.push_str("<sheetPr><pageSetUpPr fitToPage=\"1\"/></sheetPr>");
        let top_left = place(self.head_rows, self.frozen_columns);
        let _ = write!(
            xml,
            "<sheetViews><sheetView workbookViewId=\"0\"><pane xSplit=\"{}\" ySplit=\"{}\" topLeftCell=\"{top_left}\" \
             activePane=\"bottomRight\" state=\"frozen\"/></sheetView></sheetViews><sheetFormatPr defaultRowHeight=\"15\"/><cols>",
            self.frozen_columns, self.head_rows
        );
        for (column, width) in self.widths.iter().enumerate() {
            let number = column + 1;
            let _ = write!(xml, "<col min=\"{number}\" max=\"{number}\" width=\"{width:.2}\" customWidth=\"1\"/>");
        }
        xml.push_str("</cols><sheetData>");
        let mut open = None;
        for ((row, column), (content, style)) in &self.cells {
            if open != Some(*row) {
                if open.is_some() {
                    xml.push_str("</row>");
                }
                let height = self.heights.iter().find(|(at, _)| at == row);
                let height =
                    height.map_or_else(String::new, |(_, height)| format!(" ht=\"{height}\" customHeight=\"1\""));
                let _ = write!(xml, "<row r=\"{}\"{height}>", row + 1);
                open = Some(*row);
            }
            let (at, style) = (place(*row, *column), style.place());
            let _ = match content {
                Content::Number(number) => write!(xml, "<c r=\"{at}\" s=\"{style}\"><v>{number}</v></c>"),
                Content::Text(text) if text.is_empty() => write!(xml, "<c r=\"{at}\" s=\"{style}\"/>"),
                Content::Text(text) => write!(
                    xml,
                    "<c r=\"{at}\" s=\"{style}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{}</t></is></c>",
                    escaped(text)
                ),
            };
        }
        if open.is_some() {
            xml.push_str("</row>");
        }
        xml.push_str("</sheetData>");
        if !self.merged.is_empty() {
            let _ = write!(xml, "<mergeCells count=\"{}\">", self.merged.len());
            for (from, to) in &self.merged {
                let _ = write!(xml, "<mergeCell ref=\"{}:{}\"/>", place(from.0, from.1), place(to.0, to.1));
            }
            xml.push_str("</mergeCells>");
        }
        let _ = write!(
            xml,
            "<printOptions horizontalCentered=\"1\"/><pageMargins left=\"0.4\" right=\"0.4\" top=\"0.6\" bottom=\"0.6\" \
             header=\"0.3\" footer=\"0.3\"/><pageSetup paperSize=\"{}\" orientation=\"landscape\" fitToWidth=\"1\" \
             fitToHeight=\"0\"/><headerFooter><oddFooter>{}</oddFooter></headerFooter></worksheet>",
            self.paper,
            escaped(&format!("&L{}&C&P / &N&R{}", self.foot.0, self.foot.1))
        );
        xml
    }
}

const HEADER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const TYPES: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml";
const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// `B7` of row 6, column 1.
fn place(row: u32, column: u16) -> String {
    let mut letters = Vec::new();
    let mut rest = u32::from(column) + 1;
    while rest > 0 {
        letters.push(b'A' + ((rest - 1) % 26) as u8);
        rest = (rest - 1) / 26;
    }
    letters.reverse();
    format!("{}{}", String::from_utf8_lossy(&letters), row + 1)
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // XML has no other control characters.
            letter if letter < ' ' && letter != '\n' => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

fn styles() -> String {
    let font = |size: u8, bold: bool| {
        let bold = if bold { "<b/>" } else { "" };
        format!("<font>{bold}<sz val=\"{size}\"/><name val=\"SimSun\"/><charset val=\"134\"/></font>")
    };
    let fonts = [font(9, false), font(9, true), font(15, true), font(10, false)].concat();
    let formats: String = NUMBER_FORMS
        .iter()
        .enumerate()
        .map(|(at, form)| format!("<numFmt numFmtId=\"{}\" formatCode=\"{form}\"/>", 164 + at))
        .collect();
    let style = |font: u8, fill: u8, border: u8, format: u16, align: &str| {
        format!(
            "<xf numFmtId=\"{format}\" fontId=\"{font}\" fillId=\"{fill}\" borderId=\"{border}\" xfId=\"0\" applyNumberFormat=\"1\" \
             applyFont=\"1\" applyFill=\"1\" applyBorder=\"1\" applyAlignment=\"1\"><alignment vertical=\"center\"{align}/></xf>"
        )
    };
    let mut cells = vec![
        style(3, 0, 0, 0, ""),
        style(2, 0, 0, 0, " horizontal=\"center\""),
        style(3, 0, 0, 0, ""),
        style(1, 2, 1, 0, " horizontal=\"center\" wrapText=\"1\""),
        style(0, 0, 1, 0, ""),
        style(1, 0, 1, 0, ""),
        style(0, 0, 1, 0, " wrapText=\"1\""),
    ];
    for form in 0..NUMBER_FORMS.len() as u16 {
        cells.push(style(0, 0, 1, 164 + form, " horizontal=\"right\""));
        cells.push(style(1, 0, 1, 164 + form, " horizontal=\"right\""));
    }
    let side = |name: &str| format!("<{name} style=\"thin\"><color auto=\"1\"/></{name}>");
    let thin = ["left", "right", "top", "bottom"].map(side).concat();
    format!(
        "{HEADER}<styleSheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><numFmts count=\"3\">{formats}\
         </numFmts><fonts count=\"4\">{fonts}</fonts><fills count=\"3\"><fill><patternFill patternType=\"none\"/></fill><fill>\
         <patternFill patternType=\"gray125\"/></fill><fill><patternFill patternType=\"solid\"><fgColor rgb=\"FFDDE6F0\"/>\
         </patternFill></fill></fills><borders count=\"2\"><border><left/><right/><top/><bottom/><diagonal/></border><border>{thin}\
         <diagonal/></border></borders><cellStyleXfs count=\"1\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\"/>\
         </cellStyleXfs><cellXfs count=\"{}\">{}</cellXfs></styleSheet>",
        cells.len(),
        cells.concat()
    )
}

/// The bytes of a workbook.
pub fn workbook(sheets: &[Sheet]) -> Vec<u8> {
    let numbers = || 1..=sheets.len();
    let content: String = numbers()
        .map(|number| {
            format!("<Override PartName=\"/xl/worksheets/sheet{number}.xml\" ContentType=\"{TYPES}.worksheet+xml\"/>")
        })
        .collect();
    let listed: String = numbers()
        .zip(sheets)
        .map(|(number, sheet)| {
            format!("<sheet name=\"{}\" sheetId=\"{number}\" r:id=\"rId{number}\"/>", escaped(&sheet.name))
        })
        .collect();
    let titles: String = sheets
        .iter()
        .enumerate()
        .map(|(at, sheet)| {
            let name = escaped(&sheet.name.replace('\'', "''"));
            format!(
                "<definedName name=\"_xlnm.Print_Titles\" localSheetId=\"{at}\">'{name}'!$1:${}</definedName>",
                sheet.head_rows
            )
        })
        .collect();
    let relations: String = numbers()
        .map(|number| {
            format!("<Relationship Id=\"rId{number}\" Type=\"{RELATIONS}/worksheet\" Target=\"worksheets/sheet{number}.xml\"/>")
        })
        .collect();
    let relations_of = |inner: &str| {
        format!(
            "{HEADER}<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">{inner}</Relationships>"
        )
    };
    let mut parts = vec![
        (
            "[Content_Types].xml".to_owned(),
            format!(
                "{HEADER}<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"><Default Extension=\"rels\" \
                 ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/><Default Extension=\"xml\" \
                 ContentType=\"application/xml\"/><Override PartName=\"/xl/workbook.xml\" ContentType=\"{TYPES}.sheet.main+xml\"/>\
                 <Override PartName=\"/xl/styles.xml\" ContentType=\"{TYPES}.styles+xml\"/>{content}</Types>"
            ),
        ),
        (
            "_rels/.rels".to_owned(),
            relations_of(&format!(
                "<Relationship Id=\"rId1\" Type=\"{RELATIONS}/officeDocument\" Target=\"xl/workbook.xml\"/>"
            )),
        ),
        (
            "xl/workbook.xml".to_owned(),
            format!(
                "{HEADER}<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" xmlns:r=\"{RELATIONS}\">\
                 <sheets>{listed}</sheets><definedNames>{titles}</definedNames></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels".to_owned(),
            relations_of(&format!(
                "{relations}<Relationship Id=\"rIdS\" Type=\"{RELATIONS}/styles\" Target=\"styles.xml\"/>"
            )),
        ),
        ("xl/styles.xml".to_owned(), styles()),
    ];
    parts
        .extend(numbers().zip(sheets).map(|(number, sheet)| (format!("xl/worksheets/sheet{number}.xml"), sheet.xml())));
    archive(&parts)
}

/// A ZIP archive of stored parts (APPNOTE 4.3): entries, central directory, its end. Dates are the first that the form knows,
/// so that equal reports are equal files.
fn archive(parts: &[(String, String)]) -> Vec<u8> {
    const FIRST_DATE: u16 = 0x21;
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in parts {
        let offset = bytes.len() as u32;
        let length = (content.len() as u32).to_le_bytes();
        let mut common = Vec::new();
        // Version needed, no flags, stored, time, date.
        for half in [20u16, 0, 0, 0, FIRST_DATE] {
            common.extend(half.to_le_bytes());
        }
        common.extend(crc32fast::hash(content.as_bytes()).to_le_bytes());
        common.extend(length);
        common.extend(length);
        common.extend((name.len() as u16).to_le_bytes());
        // No extra field.
        common.extend([0, 0]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(content.as_bytes());
        directory.extend(b"PK\x01\x02");
        // Made by.
        directory.extend(20u16.to_le_bytes());
        directory.extend(&common);
        // No comment, first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06");
    bytes.extend([0; 4]);
    let number = (parts.len() as u16).to_le_bytes();
    bytes.extend(number);
    bytes.extend(number);
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_as_spreadsheets_do() {
        assert_eq!(
            [place(0, 0), place(6, 25), place(6, 26), place(9, 701), place(9, 702)],
            ["A1", "Z7", "AA7", "ZZ10", "AAA10"]
        );
    }

    #[test]
    fn the_archive_lists_its_parts_where_they_lie() {
        let mut sheet = Sheet::new("总览 & <1>".into());
        sheet.printed(0, 0, "12.50", Style::Number(2, false));
        sheet.printed(0, 1, "-", Style::Number(2, true));
        sheet.span((1, 0), (1, 2), "a\u{1}<b>", Style::Head);
        let bytes = workbook(&[sheet]);
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let u16_at = |at: usize| usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()));
        let end = bytes.len() - 22;
        assert_eq!(&bytes[end..end + 4], b"PK\x05\x06");
        let (mut at, mut names) = (u32_at(end + 16), Vec::new());
        assert_eq!(at + u32_at(end + 12), end, "the directory ends where its end begins");
        while at < end {
            assert_eq!(&bytes[at..at + 4], b"PK\x01\x02");
            let (length, size, local) = (u16_at(at + 28), u32_at(at + 24), u32_at(at + 42));
            let name = std::str::from_utf8(&bytes[at + 46..at + 46 + length]).unwrap();
            assert_eq!(&bytes[local..local + 4], b"PK\x03\x04");
            let content = &bytes[local + 30 + length..local + 30 + length + size];
            assert_eq!(crc32fast::hash(content) as usize, u32_at(at + 16), "{name}");
            if name.ends_with("sheet1.xml") {
                let xml = std::str::from_utf8(content).unwrap();
                assert!(xml.contains("<v>12.50</v>") && xml.contains(">-</t>") && xml.contains("a &lt;b&gt;"), "{xml}");
                assert!(xml.contains("<mergeCell ref=\"A2:C2\"/>"));
            }
            names.push(name.to_owned());
            at += 46 + length;
        }
        assert_eq!(names.len(), u16_at(end + 10));
        assert!(names.iter().any(|name| name == "xl/styles.xml"));
    }
}
