//! Parquet: a column a field, null = absent. Text columns hold what the row form holds as text; integers, booleans, dates
//! and timestamps may have their own type; a list of codes is a list of strings, or one string.

use std::fs::File;

use anyhow::bail;
use billwatch_market::{fact::Field, ids::Day};
use parquet::{
    basic::CompressionCodec,
    file::{reader::FileReader as _, serialized_reader::SerializedFileReader},
    record::{Field as Cell, Row},
};
use serde_json::{Map, Value};

use super::{Line, Lines, field_of, text_cell};

/// Rows of a Parquet file.
pub fn lines(file: File) -> anyhow::Result<Lines> {
    let bytes = file.metadata()?.len();
    let reader = SerializedFileReader::new(file)?;
    for column in reader.metadata().row_groups().iter().flat_map(|group| group.columns()) {
        readable(&column.column_path().string(), column.compression_codec())?;
    }
    let metadata = reader.metadata().file_metadata();
    let rows = u64::try_from(metadata.num_rows())?.max(1);
    let columns = metadata.schema_descr().root_schema().get_fields();
    let fields = columns.iter().map(|column| field_of(column.name())).collect::<anyhow::Result<Vec<Field>>>()?;
    Ok(Box::new(reader.into_iter().zip(1u64..).map(move |(row, number)| {
        let json = object(&fields, &row?)?.to_string().into_bytes();
        // Rows are spread over the file evenly enough for a progress bar.
        let bytes_read = (u128::from(bytes) * u128::from(number) / u128::from(rows)) as u64;
        Ok(Line { number, json, bytes_read })
    })))
}

/// An error for a codec that is not compiled in.
fn readable(column: &str, codec: CompressionCodec) -> anyhow::Result<()> {
    match codec {
        CompressionCodec::BROTLI | CompressionCodec::LZO => bail!(
            "column `{column}` is compressed with {codec:?}, which is not read here: write the file with ZSTD, SNAPPY, GZIP, \
             LZ4_RAW, or without compression"
        ),
        _ => Ok(()),
    }
}

fn object(fields: &[Field], row: &Row) -> anyhow::Result<Value> {
    let mut object = Map::new();
    for (field, (_, cell)) in fields.iter().zip(row.get_column_iter()) {
        if let Some(value) = value(*field, cell)? {
            object.insert(field.name().to_owned(), value);
        }
    }
    Ok(Value::Object(object))
}

fn value(field: Field, cell: &Cell) -> anyhow::Result<Option<Value>> {
    let wide = field.type_name() == "u128";
    let integer = |value: i64| if wide { Value::from(value.to_string()) } else { Value::from(value) };
    Ok(Some(match cell {
        Cell::Null => return Ok(None),
        Cell::Bool(value) => Value::from(*value),
        Cell::Byte(value) => integer(i64::from(*value)),
        Cell::Short(value) => integer(i64::from(*value)),
        Cell::Int(value) => integer(i64::from(*value)),
        Cell::Long(value) => integer(*value),
        Cell::UByte(value) => integer(i64::from(*value)),
        Cell::UShort(value) => integer(i64::from(*value)),
        Cell::UInt(value) => integer(i64::from(*value)),
        Cell::ULong(value) if wide => Value::from(value.to_string()),
        Cell::ULong(value) => Value::from(*value),
        Cell::Str(text) => return Ok(text_cell(field, text)),
        Cell::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => return Ok(text_cell(field, text)),
            Err(_) => bail!("column `{}` holds bytes that are not UTF-8", field.name()),
        },
        Cell::Date(days) => Value::from(Day(*days).to_string()),
        Cell::TimestampMillis(ms) => Value::from(*ms),
        Cell::TimestampMicros(us) => Value::from(us.div_euclid(1000)),
        Cell::ListInternal(list) => {
            let texts = list.elements().iter().map(|element| match element {
                Cell::Str(text) => Ok(Value::from(text.as_str())),
                _ => bail!("column `{}`: a list holds strings only", field.name()),
            });
            Value::Array(texts.collect::<anyhow::Result<_>>()?)
        }
        _ => bail!("column `{}` has a type that no field has: use text, integer, boolean or date", field.name()),
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::{
        basic::{Compression, GzipLevel, ZstdLevel},
        column::writer::ColumnWriter,
        data_type::ByteArray,
        file::properties::WriterProperties,
        file::writer::SerializedFileWriter,
        schema::parser::parse_message_type,
    };

    use super::*;

    #[test]
    fn every_codec_is_read_or_named() {
        for codec in [Compression::ZSTD(ZstdLevel::default()), Compression::GZIP(GzipLevel::default())]
            .into_iter()
            .chain([Compression::SNAPPY, Compression::LZ4_RAW, Compression::UNCOMPRESSED])
        {
            let schema = Arc::new(parse_message_type("message facts { required int64 source_seq; }").unwrap());
            let properties = WriterProperties::builder().set_compression(codec).build();
            let mut file = tempfile::tempfile().unwrap();
            let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::new(properties)).unwrap();
            let mut group = writer.next_row_group().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            let ColumnWriter::Int64ColumnWriter(numbers) = column.untyped() else { unreachable!("the one column") };
            numbers.write_batch(&[7], None, None).unwrap();
            column.close().unwrap();
            group.close().unwrap();
            writer.close().unwrap();
            let lines: Vec<_> = lines(file).unwrap().map(Result::unwrap).collect();
            assert_eq!(lines[0].json, br#"{"source_seq":7}"#, "{codec:?}");
        }
        let error = readable("amount_fen", CompressionCodec::BROTLI).unwrap_err().to_string();
        assert!(error.contains("`amount_fen`") && error.contains("BROTLI") && error.contains("ZSTD"), "{error}");
    }

    #[test]
    fn typed_columns_become_fields() {
        let schema = "message facts {
            required byte_array source (UTF8); required int64 source_seq; optional int32 biz_date (DATE);
        }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut file = tempfile::tempfile().unwrap();
        let mut writer =
            SerializedFileWriter::new(&mut file, schema, Arc::new(WriterProperties::builder().build())).unwrap();
        let mut group = writer.next_row_group().unwrap();
        while let Some(mut column) = group.next_column().unwrap() {
            match column.untyped() {
                ColumnWriter::ByteArrayColumnWriter(text) => {
                    text.write_batch(&[ByteArray::from("REFD"), ByteArray::from("NGBS")], None, None).unwrap();
                }
                ColumnWriter::Int64ColumnWriter(number) => {
                    number.write_batch(&[1, 2], None, None).unwrap();
                }
                ColumnWriter::Int32ColumnWriter(day) => {
                    day.write_batch(&[20_370], Some(&[1, 0]), None).unwrap();
                }
                _ => unreachable!("the schema has three columns"),
            }
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
        let lines: Vec<_> = lines(file).unwrap().map(Result::unwrap).collect();
        let json = |at: usize| serde_json::from_slice::<Value>(&lines[at].json).unwrap();
        assert_eq!(json(0), serde_json::json!({"source": "REFD", "source_seq": 1, "biz_date": "2025-10-09"}));
        assert_eq!(json(1), serde_json::json!({"source": "NGBS", "source_seq": 2}));
    }
}
