use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Prints a line that CloudWatch turns into metrics of the namespace `Waxwing`: a name, its unit (`Count`,
/// `Milliseconds`), a value each. Source: the embedded metric format in the CloudWatch guide.
pub fn print_metrics(now: Timestamp, metrics: &[(&str, &str, f64)]) {
    println!("{}", embedded(now, metrics));
}

fn embedded(now: Timestamp, metrics: &[(&str, &str, f64)]) -> Value {
    let named: Vec<Value> =
        metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
    let about = json!({
        "Timestamp": now.as_millisecond(),
        "CloudWatchMetrics": [{ "Namespace": "Waxwing", "Dimensions": [[]], "Metrics": named }],
    });
    let values = metrics.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value)));
    Value::Object(values.chain([("_aws".to_owned(), about)]).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_each_metric_and_its_value() {
        let now = Timestamp::from_millisecond(1_800_000_000_000).unwrap();
        let line = embedded(now, &[("Commits", "Count", 3.0), ("Took", "Milliseconds", 1.5)]);
        assert_eq!((&line["Commits"], &line["Took"]), (&json!(3.0), &json!(1.5)));
        let about = &line["_aws"];
        assert_eq!(about["Timestamp"], 1_800_000_000_000_i64);
        assert_eq!(
            about["CloudWatchMetrics"][0]["Metrics"][1],
            json!({ "Name": "Took", "Unit": "Milliseconds" })
        );
    }
}
