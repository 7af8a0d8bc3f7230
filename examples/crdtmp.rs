fn main(){ foundry_operator::api::manifest::write(Some(std::path::Path::new("crds")), &mut std::io::stdout()).unwrap(); }
