//! What a person can do about a server that was not reached.

/// By the words of the TLS library and the system; `flag` is the one that leads to the server.
pub(super) fn advice(told: &str, flag: &str) -> String {
    let says = |words: &[&str]| words.iter().any(|word| told.contains(word));
    if says(&["NotValidForName", "not valid for name"]) {
        format!("the server's certificate is for another name: check {flag}")
    } else if says(&["certificate expired", "Expired"]) {
        "the server's certificate has expired, or the clock of this machine is wrong".to_owned()
    } else if says(&["certificate", "UnknownIssuer"]) {
        "put the authority that signed the server's certificate into the file of --ca-bundle: it is read again, without a \
         restart"
            .to_owned()
    } else if says(&["InvalidContentType", "corrupt message"]) {
        format!("what answers there does not speak TLS: check the port of {flag}, or have https served there")
    } else if says(&["dns error", "failed to lookup"]) {
        format!("the name is not known: check {flag} and the DNS of the pod")
    } else {
        format!("check that the operator can reach the address of {flag} (network policy, proxy, firewall)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_decides() {
        for (told, part) in [
            ("client error (Connect): invalid peer certificate: UnknownIssuer", "--ca-bundle"),
            ("invalid peer certificate: certificate not valid for name \"a\"", "another name"),
            ("invalid peer certificate: certificate expired: verification time 1", "expired"),
            ("client error (Connect): received corrupt message of type InvalidContentType", "TLS"),
            ("client error (Connect): dns error: failed to lookup address information", "DNS"),
            ("tcp connect error: Connection refused (os error 111)", "network policy"),
        ] {
            assert!(advice(told, "--arm-endpoint").contains(part), "{told}");
        }
    }
}
