"""Every write: one module per noun, one public function per act; the only caller of the gateway's writes."""
