use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256,
};

use crate::Error;
use crate::folder::Folder;

pub(crate) const SERVER_CERTIFICATE: &str = "apiserver.crt";
pub(crate) const SERVER_KEY: &str = "apiserver.key";
pub(crate) const TOKEN_PUBLIC_KEY: &str = "service-accounts.pub";
pub(crate) const TOKEN_KEY: &str = "service-accounts.key";

/// Makes the API server's certificate, and returns the certificate of the authority behind it.
pub(crate) fn make_certificate(folder: &Folder) -> Result<String, Error> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "control-plane");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;

    let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"];
    let mut server = CertificateParams::new(names.map(String::from))?;
    server.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    server.use_authority_key_identifier_extension = true;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server_key = KeyPair::generate()?;
    let issuer = Issuer::new(authority, authority_key);
    let certificate = server.signed_by(&server_key, &issuer)?;
    folder.write(SERVER_CERTIFICATE, &certificate.pem())?;
    folder.write(SERVER_KEY, &server_key.serialize_pem())?;
    Ok(authority_certificate.pem())
}

/// Makes the key that signs the tokens of service accounts, unless an earlier start left one.
pub(crate) fn make_token_key(folder: &Folder) -> Result<(), Error> {
    if folder.path().join(TOKEN_PUBLIC_KEY).is_file() && folder.path().join(TOKEN_KEY).is_file() {
        return Ok(());
    }
    // RSA, though it is slow to make: Microsoft Entra ID takes federated tokens with RS256 only.
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    folder.write(TOKEN_KEY, &key.serialize_pem())?;
    folder.write(TOKEN_PUBLIC_KEY, &key.public_key_pem())?;
    Ok(())
}

/// A bearer token that nobody guesses.
pub(crate) fn make_token() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::io("make a token")(error.into()))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
