//! Sheets set up for printing, and how their cells look. The form itself (XLSX, ECMA-376) is written by `rust_xlsxwriter`;
//! here is what a printed report uses of it. Begin at [`begin`].

use rust_xlsxwriter::{
    Color, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError,
};

/// Longest text of a cell that spreadsheet programs take, in UTF-16 units.
const TEXT_MOST: usize = 32_767;
/// Height of a row and width of a column that nobody set, in pixels: what programs take for this font.
const ROW_PIXELS: u32 = 20;
const COLUMN_PIXELS: u32 = 64;
/// Pixels of a digit: widths of columns are written in digits.
const DIGIT_PIXELS: f64 = 7.0;
/// Chinese characters, as a font says that it has them (GB 2312).
const CHARSET: u8 = 134;
/// Ground of heads.
const HEAD_GROUND: u32 = 0xDD_E6F0;
/// A workbook says when it was made. All say the same, the first moment that a ZIP archive can name, so that equal reports are
/// equal files.
const MADE: (u16, u8, u8) = (1980, 1, 1);

/// How a cell looks.
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
    fn format(self) -> Format {
        let font = |size: u8| {
            Format::new()
                .set_font_name("SimSun")
                .set_font_charset(CHARSET)
                .set_font_size(size)
                .set_align(FormatAlign::VerticalCenter)
        };
        let framed = |bold: bool| {
            let format = font(9).set_border(FormatBorder::Thin);
            if bold { format.set_bold() } else { format }
        };
        match self {
            Style::Title => font(15).set_bold().set_align(FormatAlign::Center),
            Style::Line => font(10),
            Style::Head => framed(true)
                .set_background_color(Color::RGB(HEAD_GROUND))
                .set_align(FormatAlign::Center)
                .set_text_wrap(),
            Style::Name => framed(false),
            Style::NameTotal => framed(true),
            Style::Text => framed(false).set_text_wrap(),
            Style::Number(decimals, total) => {
                let form = match decimals {
                    0 => "#,##0",
                    1 | 2 => "#,##0.00",
                    _ => "#,##0.0000",
                };
                framed(total).set_num_format(form).set_align(FormatAlign::Right)
            }
        }
    }
}

/// A workbook without sheets.
pub fn begin() -> Result<Workbook, XlsxError> {
    let mut workbook = Workbook::new();
    let (year, month, day) = MADE;
    let made = ExcelDateTime::from_ymd(year, month, day)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&made));
    workbook.set_default_format(&Style::Line.format(), ROW_PIXELS, COLUMN_PIXELS)?;
    Ok(workbook)
}

/// A sheet under way. Rows and columns count from 0.
pub struct Sheet<'a> {
    sheet: &'a mut Worksheet,
    /// Widths of columns, in characters.
    pub widths: Vec<f64>,
    /// Rows of the head: frozen, and repeated on every page.
    pub head_rows: u32,
    /// Columns of names: frozen.
    pub frozen_columns: u16,
    /// Paper: 9 = A4, 8 = A3.
    pub paper: u8,
    /// Foot of the page: left, right.
    pub foot: (String, String),
}

impl<'a> Sheet<'a> {
    /// An empty sheet behind the others.
    pub fn new(workbook: &'a mut Workbook, name: &str) -> Result<Self, XlsxError> {
        let sheet = workbook.add_worksheet();
        sheet.set_name(name)?;
        let foot = (String::new(), String::new());
        Ok(Sheet { sheet, widths: Vec::new(), head_rows: 0, frozen_columns: 1, paper: 9, foot })
    }

    /// Writes text.
    pub fn text(&mut self, row: u32, column: u16, text: &str, style: Style) -> Result<(), XlsxError> {
        self.sheet.write_string_with_format(row, column, fitting(text), &style.format())?;
        Ok(())
    }

    /// Writes what is printed: as a number where it is one.
    pub fn printed(&mut self, row: u32, column: u16, printed: &str, style: Style) -> Result<(), XlsxError> {
        match printed.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                self.sheet.write_number_with_format(row, column, number, &style.format())?;
                Ok(())
            }
            _ => self.text(row, column, printed, style),
        }
    }

    /// Writes text over several cells.
    pub fn span(&mut self, from: (u32, u16), to: (u32, u16), text: &str, style: Style) -> Result<(), XlsxError> {
        if from == to {
            return self.text(from.0, from.1, text, style);
        }
        self.sheet.merge_range(from.0, from.1, to.0, to.1, fitting(text), &style.format())?;
        Ok(())
    }

    /// Sets the height of a row, in points.
    pub fn height(&mut self, row: u32, points: f64) -> Result<(), XlsxError> {
        self.sheet.set_row_height(row, points)?;
        Ok(())
    }

    /// Sets up the columns and the page: landscape, as wide as one page.
    pub fn finish(self) -> Result<(), XlsxError> {
        for (column, width) in (0..).zip(&self.widths) {
            self.sheet.set_column_width_pixels(column, (width * DIGIT_PIXELS).round() as u32)?;
        }
        self.sheet.set_freeze_panes(self.head_rows, self.frozen_columns)?;
        self.sheet.set_repeat_rows(0, self.head_rows.saturating_sub(1))?;
        self.sheet.set_paper_size(self.paper).set_landscape().set_print_fit_to_pages(1, 0);
        self.sheet.set_print_center_horizontally(true).set_margins(0.4, 0.4, 0.6, 0.6, 0.3, 0.3);
        self.sheet.set_footer(format!("&L{}&C&P / &N&R{}", self.foot.0, self.foot.1));
        Ok(())
    }
}

/// As much of a text as a cell takes.
fn fitting(text: &str) -> &str {
    let mut units = 0;
    let too_long = text.char_indices().find(|(_, letter)| {
        units += letter.len_utf16();
        units > TEXT_MOST
    });
    too_long.map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_a_cell_ends() {
        let long = "\u{1F4B4}".repeat(TEXT_MOST / 2 + 1);
        assert_eq!(fitting(&long).encode_utf16().count(), TEXT_MOST - 1);
        assert_eq!(fitting("汇票"), "汇票");
        let mut workbook = begin().unwrap();
        Sheet::new(&mut workbook, "1").unwrap().text(0, 0, &long, Style::Text).unwrap();
    }
}
