class Allears < Formula
  desc "Show which process holds a port, and why it cannot be bound"
  homepage "@URL@"
  url "@DOWNLOAD@/allears-@VERSION@.tar.gz"
  sha256 "@SHA256_SOURCE@"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args
    system bin/"allears", "man", man1
    (bash_completion/"allears").write Utils.safe_popen_read(bin/"allears", "completions", "bash")
    (zsh_completion/"_allears").write Utils.safe_popen_read(bin/"allears", "completions", "zsh")
    (fish_completion/"allears.fish").write Utils.safe_popen_read(bin/"allears", "completions", "fish")
  end

  test do
    port = free_port
    server = TCPServer.new("127.0.0.1", port)
    assert_match port.to_s, shell_output("#{bin}/allears #{port}")
    server.close
    assert_match version.to_s, shell_output("#{bin}/allears --version")
  end
end
