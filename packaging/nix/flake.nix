{
  description = "Show which process holds a port, and why it cannot be bound";

  inputs = {
    nixpkgs.url = "nixpkgs/nixos-unstable";
    source = {
      url = "@DOWNLOAD@/allears-@VERSION@.tar.gz";
      flake = false;
    };
  };

  outputs = { self, nixpkgs, source }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      each = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      packages = each (pkgs: rec {
        allears = pkgs.rustPlatform.buildRustPackage {
          pname = "allears";
          version = "@VERSION@";
          src = source;
          cargoLock.lockFile = "${source}/Cargo.lock";
          # The live tests need namespaces of their own and other programs; these hold on every system.
          cargoTestFlags = [ "--test" "contract" "--test" "replay" ];
          nativeBuildInputs = [ pkgs.installShellFiles ];
          postInstall = ''
            mkdir man && $out/bin/allears man man
            installManPage man/*.1
            installShellCompletion --cmd allears \
              --bash <($out/bin/allears completions bash) \
              --zsh <($out/bin/allears completions zsh) \
              --fish <($out/bin/allears completions fish)
          '';
          meta = {
            description = "Show which process holds a port, and why it cannot be bound";
            homepage = "@URL@";
            license = with pkgs.lib.licenses; [ mit asl20 ];
            mainProgram = "allears";
          };
        };
        default = allears;
      });
    };
}
