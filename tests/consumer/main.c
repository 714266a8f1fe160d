/* The same for the C interface: links d16::c. */
#include <d16.h>

int main(void) { return d16_version() > 0 ? 0 : 1; }
