import SecretScan
import Testing
import TestSupport

@Suite("Passwords in commands")
struct CommandSecretTests {
  private let scanner = SecretScanner()
  private static let word = "Xk7" + "pQ2mZ"

  @Test("a password among a command's arguments is found", arguments: [
    "curl -u bot:%@ https://example.org", "curl -sSu bot:%@ https://example.org", "curl --user bot:%@ https://example.org",
    "curl --user=bot:%@ https://example.org", "curl -s -X POST -d '{\"a\": 1}' -u 'bot:%@' https://example.org",
    "curl https://example.org \\\n  -H 'Accept: text/plain' \\\n  -u bot:%@", "curl -ubot:%@ https://example.org",
    "curl --proxy-user bot:%@ https://example.org", "Run `curl -u bot:%@ https://example.org/v1` once a day.",
    "wget --http-user=bot --http-password=%@ https://example.org", "wget --user bot --password %@ https://example.org",
    "sshpass -p %@ ssh bot@host", "sshpass -p'%@' ssh bot@host", "SSHPASS=x sshpass -p \"%@\" scp a b:",
    "mysql -u root -p%@ maven", "mysqldump --user=root -p%@ maven >dump.sql", "mysqladmin -uroot -p'%@' status",
    "docker login -u bot -p %@ registry.example.org", "docker login --username bot --password %@",
    "podman login -p %@ quay.example.org", "helm registry login -u bot -p %@ example.org",
    "htpasswd -bc /etc/nginx/htpasswd bot %@", "htpasswd -b users bot %@", "redis-cli -h cache -a %@ ping",
    "mongosh -u root -p %@ admin", "ldapsearch -x -D cn=admin -w %@ -b dc=org", "smbclient //host/share -U bot%%@",
    "openssl enc -aes-256-cbc -pass pass:%@ -in a", "openssl rsa -passin 'pass:%@' -in a.pem", "7z a -p%@ a.7z a",
    "zip -e -P %@ a.zip a", "sqlcmd -S db -U sa -P %@", "keytool -list -keystore a.jks -storepass %@",
    "ssh-keygen -t ed25519 -N %@ -f id", "psql postgresql://bot:%@@db.example.org/maven", "PGPASSWORD=%@ psql -h db",
    "$ curl -u bot:%@ https://example.org # rotate it", "{\"cmd\": \"curl -u bot:%@ https://example.org\"}",
  ])
  func found(line: String) {
    let text = line.replacing("%@", with: Self.word)
    let findings = scanner.scan(Array(text.utf8))
    #expect(findings.count == 1, "\(text): \(findings)")
    #expect(findings.allSatisfy { !"\($0)".contains(Self.word.dropFirst()) })
    #expect(!scanner.scan(Array("## NOTE\n\n\(text)\n\n---\n".utf8)).isEmpty)
  }

  @Test("commands without a password, and sentences about them, do not alarm", arguments: [
    "curl -u \"$USER:$PASS\" https://example.org", "curl -u bot https://example.org", "curl -u <user>:<password> url",
    "curl -u user:password https://example.org", "curl --user ${CREDENTIALS} https://example.org",
    "We use curl -u to pass credentials: the flag takes name and word.", "curl -n https://bot@example.org:8443/a",
    "wget --password-file=x https://example.org", "wget --password=$PASS https://example.org",
    "sshpass -e ssh bot@host", "sshpass -f ~/.pass ssh bot@host", "mysql -p maven", "mysql -P 3306 -p3306 maven",
    "mysql -u root -p", "docker login --password-stdin <token", "docker login -p <token>", "docker run -p 8080:80 nginx",
    "htpasswd -c users bot", "htpasswd -b users bot $PASS", "redis-cli -a \"$REDIS_PASSWORD\" ping",
    "openssl rsa -passin env:PASS -in a", "openssl rsa -passin file:/run/secret", "zip -r a.zip a", "7z a a.7z a",
    "ssh-keygen -t ed25519 -N \"\" -f id", "mkdir -p curl -u", "the mongo database was restarted", "grep -w foo bar",
    "curl -u \"$(cat ~/.netrc)\" https://example.org", "keytool -storepass:env PASS", "curl -u *****:***** url",
  ])
  func harmless(line: String) {
    #expect(scanner.scan(Array(line.utf8)).isEmpty, "\(scanner.scan(Array(line.utf8)))")
  }

  @Test("a Kubernetes secret is found by its kind")
  func kubernetes() {
    let value = KeyEncoding.base64(Self.word)
    let before = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ntype: Opaque\ndata:\n  login: \(value)\n"
    let after = "apiVersion: v1\ndata:\n  login: \"\(value)\"\nkind: Secret\n"
    #expect(scanner.scan(Array(before.utf8)).map(\.rule) == ["kubernetes-secret"])
    #expect(scanner.scan(Array(after.utf8)).map(\.rule) == ["kubernetes-secret"])
    #expect(scanner.scan(Array(before.replacing("Secret", with: "ConfigMap").utf8)).isEmpty)
  }
}
